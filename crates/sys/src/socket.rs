//! UNIX sockets in the file system (`unix(7)`).

use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Whether this is a socket that nobody has bound any more: what a killed process leaves. Of one that is bound nothing is disturbed,
/// of whatever type it is: a stream socket refuses a datagram socket before anybody hears of it.
#[must_use]
pub fn is_deaf(path: &Path) -> bool {
    // Another kind of file is refused in the same words.
    if !std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        return false;
    }
    let refused = UnixDatagram::unbound().and_then(|socket| socket.connect(path));
    refused.is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn only_what_nobody_has_bound_is_deaf() {
        let folder = tempfile::tempdir().unwrap();
        let stream = folder.path().join("stream");
        let datagram = folder.path().join("datagram");
        let listener = UnixListener::bind(&stream).unwrap();
        let bound = UnixDatagram::bind(&datagram).unwrap();
        assert!(!is_deaf(&stream) && !is_deaf(&datagram));
        // Nobody was heard.
        listener.set_nonblocking(true).unwrap();
        let heard = listener.accept().map(drop).unwrap_err();
        assert_eq!(heard.kind(), ErrorKind::WouldBlock);
        drop((listener, bound));
        assert!(is_deaf(&stream) && is_deaf(&datagram));
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert!(!is_deaf(&folder.path().join("file")));
        assert!(!is_deaf(&folder.path().join("none")));
        std::os::unix::fs::symlink(&stream, folder.path().join("link")).unwrap();
        assert!(!is_deaf(&folder.path().join("link")));
    }
}
