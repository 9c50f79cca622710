/* Makes a program believe that it controls the clock, and keeps it from it.
 *
 * openntpd calls itself synchronised only after adjtime() has succeeded with nothing left to
 * adjust, and ntpd-rs ends when it may not adjust anything. Under this shim they do, and nothing
 * happens. Reading goes through. */

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

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
	return syscall(SYS_adjtimex, request);
}

int ntp_adjtime(struct timex *request)
{
	return adjtimex(request);
}

int clock_adjtime(clockid_t clock, struct timex *request)
{
	(void)clock;
	return adjtimex(request);
}

int settimeofday(const struct timeval *time, const struct timezone *zone)
{
	(void)time;
	(void)zone;
	errno = EPERM;
	return -1;
}
