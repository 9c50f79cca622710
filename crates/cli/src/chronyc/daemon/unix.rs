//! Our end of a conversation over the daemon's Unix socket.
//!
//! The daemon answers to the path of our socket, and may run as another user: the socket must be
//! writable for everybody. Its directory belongs to the daemon's user, who, taken over by an
//! attacker, must not get a file of ours by way of our own `chmod`. So the socket stands in a
//! directory with a random name inside another that only we can list, and that is held open while
//! names in it are made.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use nix::libc::{O_DIRECTORY, O_NOFOLLOW};
use nix::sys::stat::{Mode, mkdirat};

/// Passable for everybody, readable for us.
const DIRECTORY_MODE: u32 = 0o711;
const SOCKET_MODE: u32 = 0o666;

/// A socket that is connected to the daemon's.
#[derive(Debug)]
pub(super) struct UnixChannel {
    socket: UnixDatagram,
    _place: Place,
}

impl UnixChannel {
    /// # Errors
    ///
    /// When nobody listens there, we may not talk to it, or our own socket cannot be made.
    pub(super) fn open(server: &Path) -> io::Result<Self> {
        // The cheapest way to learn that we may not: nothing has to be made and removed again.
        UnixDatagram::unbound()?.connect(server)?;
        let place = Place::make(server)?;
        let path = place.socket();
        let socket = UnixDatagram::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(SOCKET_MODE))?;
        place.open_to_the_daemon()?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, _place: place })
    }

    pub(super) fn send(&self, request: &[u8]) -> io::Result<()> {
        self.socket.send(request).map(|_| ())
    }

    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(buffer)
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The directories of a socket; removed with it.
#[derive(Debug)]
struct Place {
    outer: PathBuf,
    hidden: PathBuf,
    /// The outer one itself, whatever is at its path.
    handle: File,
}

impl Place {
    fn make(server: &Path) -> io::Result<Self> {
        let directory = server.parent().unwrap_or(Path::new("/"));
        let outer = directory.join(format!("chronyc.{}", std::process::id()));
        match DirBuilder::new().mode(DIRECTORY_MODE).create(&outer) {
            // A process of the same number has left it; whether it is ours is seen below.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        let handle = open_own_directory(&outer)?;
        let name = random_name()?;
        let hidden = outer.join(&name);
        // From here on, dropping removes what was made.
        let place = Self { outer, hidden, handle };
        mkdirat(&place.handle, name.as_str(), Mode::from_bits_truncate(DIRECTORY_MODE))?;
        Ok(place)
    }

    fn socket(&self) -> PathBuf {
        self.hidden.join("sock")
    }

    /// Whatever our umask has taken away.
    fn open_to_the_daemon(&self) -> io::Result<()> {
        fs::set_permissions(&self.hidden, Permissions::from_mode(DIRECTORY_MODE))?;
        self.handle.set_permissions(Permissions::from_mode(DIRECTORY_MODE))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed is empty, and in nobody's way.
        let _ = fs::remove_file(self.socket());
        let _ = fs::remove_dir(&self.hidden);
        let _ = fs::remove_dir(&self.outer);
    }
}

fn open_own_directory(path: &Path) -> io::Result<File> {
    let handle = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_DIRECTORY).open(path)?;
    let metadata = handle.metadata()?;
    let excess = metadata.mode() & 0o777 & !DIRECTORY_MODE;
    if excess != 0 || metadata.uid() != nix::unistd::geteuid().as_raw() {
        let problem = format!("{} is not a directory of ours", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    }
    Ok(handle)
}

fn random_name() -> io::Result<String> {
    let mut bytes = [0; 8];
    timeball_host::random::fill(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(directory: &Path) -> Vec<PathBuf> {
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn an_answer_finds_its_way_and_nothing_stays_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chronyd.sock");
        let server = UnixDatagram::bind(&path).unwrap();
        let channel = UnixChannel::open(&path).unwrap();
        channel.send(b"question").unwrap();
        let mut buffer = [0; 16];
        let (length, from) = server.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"question");
        let ours = from.as_pathname().unwrap();
        assert_eq!(fs::metadata(ours).unwrap().mode() & 0o777, SOCKET_MODE);
        assert!(ours.parent().unwrap().parent().unwrap().starts_with(directory.path()));
        server.send_to(b"answer", ours).unwrap();
        assert_eq!(channel.receive(&mut buffer).unwrap(), 6);
        assert_eq!(entries(directory.path()).len(), 2);
        drop(channel);
        assert_eq!(entries(directory.path()), [path]);
    }

    #[test]
    fn nothing_is_made_where_nobody_listens() {
        let directory = tempfile::tempdir().unwrap();
        assert!(UnixChannel::open(&directory.path().join("chronyd.sock")).is_err());
        assert_eq!(entries(directory.path()), [] as [PathBuf; 0]);
    }

    #[test]
    fn a_directory_that_others_can_list_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chronyd.sock");
        let _server = UnixDatagram::bind(&path).unwrap();
        let outer = directory.path().join(format!("chronyc.{}", std::process::id()));
        fs::create_dir(&outer).unwrap();
        fs::set_permissions(&outer, Permissions::from_mode(0o755)).unwrap();
        let error = UnixChannel::open(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
        let elsewhere = directory.path().join("elsewhere");
        fs::rename(&outer, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &outer).unwrap();
        assert!(UnixChannel::open(&path).is_err(), "a link is not followed");
        assert_eq!(entries(&elsewhere), [] as [PathBuf; 0]);
    }
}
