/* Makes a program believe that it controls the clock, and keeps it from it.
 *
 * openntpd calls itself synchronised only after adjtime() has succeeded with nothing left to
 * adjust. Under this shim it does, and nothing happens. Reading goes through. */

#include <errno.h>
#include <stddef.h>
#include <sys/time.h>
#include <sys/timex.h>

int adjtime(const struct timeval *delta, struct timeval *remaining)
{
	(void)delta;
	if (remaining != NULL)
		remaining->tv_sec = remaining->tv_usec = 0;
	return 0;
}

int adjtimex(struct timex *request)
{
	request->modes = 0;
	return ntp_adjtime(request);
}

int settimeofday(const struct timeval *time, const struct timezone *zone)
{
	(void)time;
	(void)zone;
	errno = EPERM;
	return -1;
}
