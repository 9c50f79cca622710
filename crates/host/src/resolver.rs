//! Host names to addresses, without blocking the loop that asks.
//!
//! The C library's resolver waits for the network, so it runs on a thread of its own. Threads are
//! started for questions that need one and end with them: literal addresses are answered at once,
//! and a daemon that uses nothing else never has a second thread.

use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::io;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::ptr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use thiserror::Error;

use crate::os::internet_address;
use crate::wake::{Wake, Waker};

/// Which addresses are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AddressFamily {
    /// All of them.
    #[default]
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

/// Why a name has no addresses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// There is no such name, or it has no address of the wanted family.
    #[error("no such name")]
    NoSuchName,
    /// Nobody could be asked, or nobody answered; later it may work.
    #[error("{0}")]
    Temporary(String),
    /// Asking again will not help until something is repaired.
    #[error("{0}")]
    Failed(String),
}

/// The addresses of a name in the order in which they should be tried (RFC 6724); never empty.
pub type Answer = Result<Vec<IpAddr>, ResolveError>;

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The answer was at hand.
    Known(Answer),
    /// The answer will come from [`Resolver::answers`].
    Asked,
}

/// Asks the C library for addresses. Questions are told apart by a value of the caller's choice.
#[derive(Debug)]
pub struct Resolver<Id> {
    wake: Wake,
    waker: Waker,
    answers: Receiver<(Id, Answer)>,
    answerer: Sender<(Id, Answer)>,
    waiting: VecDeque<Question<Id>>,
    /// Threads that have not answered yet.
    running: usize,
}

#[derive(Debug)]
struct Question<Id> {
    id: Id,
    name: String,
    family: AddressFamily,
}

/// How many questions are asked at a time.
const MAX_THREADS: usize = 4;

impl<Id: Copy + Send + 'static> Resolver<Id> {
    /// A resolver without any thread.
    ///
    /// # Errors
    ///
    /// When this process may not open another pair of descriptors.
    pub fn new() -> io::Result<Self> {
        let (wake, waker) = Wake::new()?;
        let (answerer, answers) = channel();
        Ok(Self { wake, waker, answers, answerer, waiting: VecDeque::new(), running: 0 })
    }

    /// Asks for the addresses of `name`, which may be a literal address.
    pub fn resolve(&mut self, id: Id, name: &str, family: AddressFamily) -> Resolution {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Resolution::Known(literal(address, family));
        }
        if self.wake.descriptor().is_none() {
            // Where a thread could not wake the loop (see `Wake::descriptor`), the network is
            // simulated as well, and answers at once.
            return Resolution::Known(ask(name, family));
        }
        self.waiting.push_back(Question { id, name: name.to_owned(), family });
        self.start_threads();
        Resolution::Asked
    }

    /// What to wait for; `None` while no answer is to be expected.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        if self.running > 0 { self.wake.descriptor() } else { None }
    }

    /// The answers that have come. To be called when the descriptor is ready.
    pub fn answers(&mut self) -> Vec<(Id, Answer)> {
        self.wake.clear();
        let answers: Vec<_> = self.answers.try_iter().collect();
        self.running = self.running.saturating_sub(answers.len());
        self.start_threads();
        answers
    }

    fn start_threads(&mut self) {
        while self.running < MAX_THREADS
            && let Some(Question { id, name, family }) = self.waiting.pop_front()
        {
            let (answerer, waker) = (self.answerer.clone(), self.waker.clone());
            self.running += 1;
            let thread = thread::Builder::new()
                .name("resolver".into())
                .spawn(move || answer(id, ask(&name, family), &answerer, &waker));
            // A thread that was started ends by itself.
            if let Err(error) = thread {
                let failure = ResolveError::Temporary(format!("no thread to ask with: {error}"));
                answer(id, Err(failure), &self.answerer, &self.waker);
            }
        }
    }
}

/// Hands an answer over. If the resolver is gone, nobody wants it.
fn answer<Id>(id: Id, answer: Answer, answerer: &Sender<(Id, Answer)>, waker: &Waker) {
    if answerer.send((id, answer)).is_ok() {
        waker.wake();
    }
}

fn literal(address: IpAddr, family: AddressFamily) -> Answer {
    match (family, address) {
        (AddressFamily::Any, _)
        | (AddressFamily::V4, IpAddr::V4(_))
        | (AddressFamily::V6, IpAddr::V6(_)) => Ok(vec![address]),
        (AddressFamily::V4, IpAddr::V6(_)) | (AddressFamily::V6, IpAddr::V4(_)) => {
            Err(ResolveError::NoSuchName)
        }
    }
}

/// Asks the C library, and waits for its answer.
fn ask(name: &str, family: AddressFamily) -> Answer {
    let Ok(name) = CString::new(name) else { return Err(ResolveError::NoSuchName) };
    // SAFETY: `addrinfo` is made of integers and pointers; all-zero bytes are a value.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_family = match family {
        AddressFamily::Any => libc::AF_UNSPEC,
        AddressFamily::V4 => libc::AF_INET,
        AddressFamily::V6 => libc::AF_INET6,
    };
    hints.ai_socktype = libc::SOCK_DGRAM;
    let mut first: *mut libc::addrinfo = ptr::null_mut();
    // SAFETY: the name has a zero at its end, the hints are one `addrinfo`, and the last pointer is
    // valid for the one pointer the call writes.
    let code =
        unsafe { libc::getaddrinfo(name.as_ptr(), ptr::null(), &raw const hints, &raw mut first) };
    if code != 0 {
        return Err(error_of(code, &io::Error::last_os_error()));
    }
    let list = List(first);
    let mut addresses = Vec::new();
    let mut next = list.0;
    // SAFETY: `next` is null or points to an entry of the list, which is alive until `list` is
    // dropped.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: the C library guarantees a socket address there.
        let address = unsafe { internet_address(entry.ai_addr) };
        // The same address may come once per protocol.
        addresses.extend(address.filter(|address| !addresses.contains(address)));
        next = entry.ai_next;
    }
    if addresses.is_empty() { Err(ResolveError::NoSuchName) } else { Ok(addresses) }
}

/// The list that the C library has allocated.
struct List(*mut libc::addrinfo);

impl Drop for List {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: it came from `getaddrinfo` and is freed once.
            unsafe { libc::freeaddrinfo(self.0) };
        }
    }
}

fn error_of(code: i32, system: &io::Error) -> ResolveError {
    match code {
        libc::EAI_NONAME | libc::EAI_NODATA => ResolveError::NoSuchName,
        libc::EAI_AGAIN => ResolveError::Temporary(text_of(code)),
        libc::EAI_MEMORY => ResolveError::Temporary(text_of(code)),
        libc::EAI_SYSTEM => ResolveError::Temporary(system.to_string()),
        _ => ResolveError::Failed(text_of(code)),
    }
}

fn text_of(code: i32) -> String {
    // SAFETY: it answers a constant string for every number.
    let text = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
    text.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::poll::{Interest, PollSet};

    fn wait_for_answers(resolver: &mut Resolver<u32>) -> HashMap<u32, Answer> {
        let mut all = HashMap::new();
        while let Some(descriptor) = resolver.descriptor() {
            let mut set = PollSet::new();
            set.add(descriptor, Interest::Read);
            set.wait(None).unwrap();
            for (id, answer) in resolver.answers() {
                assert!(all.insert(id, answer).is_none(), "question {id} answered twice");
            }
        }
        all
    }

    #[test]
    fn literal_addresses_need_no_thread() {
        let mut resolver = Resolver::new().unwrap();
        let mut known = |name: &str, family| match resolver.resolve(1, name, family) {
            Resolution::Known(answer) => answer,
            Resolution::Asked => panic!("{name} was asked for"),
        };
        assert_eq!(
            known("192.0.2.1", AddressFamily::Any).unwrap(),
            ["192.0.2.1".parse::<IpAddr>().unwrap()]
        );
        assert_eq!(
            known("2001:db8::1", AddressFamily::V6).unwrap(),
            ["2001:db8::1".parse::<IpAddr>().unwrap()]
        );
        assert_eq!(known("2001:db8::1", AddressFamily::V4), Err(ResolveError::NoSuchName));
        assert_eq!(known("192.0.2.1", AddressFamily::V6), Err(ResolveError::NoSuchName));
        assert!(resolver.descriptor().is_none());
        assert_eq!(resolver.answers(), []);
    }

    #[test]
    fn more_names_than_threads_are_all_answered() {
        let mut resolver = Resolver::new().unwrap();
        for id in 0..20 {
            let resolution = resolver.resolve(id, "localhost", AddressFamily::V4);
            assert_eq!(resolution, Resolution::Asked);
        }
        let answers = wait_for_answers(&mut resolver);
        assert_eq!(answers.len(), 20);
        for answer in answers.values() {
            assert_eq!(answer.as_deref(), Ok(["127.0.0.1".parse().unwrap()].as_slice()));
        }
        assert!(resolver.descriptor().is_none());
    }

    #[test]
    fn a_name_that_cannot_exist_has_no_addresses() {
        let mut resolver = Resolver::new().unwrap();
        resolver.resolve(7, "a\0b", AddressFamily::Any);
        let answers = wait_for_answers(&mut resolver);
        assert_eq!(answers[&7], Err(ResolveError::NoSuchName));
    }

    #[test]
    fn each_failure_has_its_kind() {
        let system = io::Error::from_raw_os_error(libc::EMFILE);
        assert_eq!(error_of(libc::EAI_NONAME, &system), ResolveError::NoSuchName);
        assert!(matches!(error_of(libc::EAI_AGAIN, &system), ResolveError::Temporary(_)));
        assert_eq!(
            error_of(libc::EAI_SYSTEM, &system),
            ResolveError::Temporary(system.to_string())
        );
        let ResolveError::Failed(text) = error_of(libc::EAI_FAIL, &system) else { panic!() };
        assert!(!text.is_empty());
    }
}
