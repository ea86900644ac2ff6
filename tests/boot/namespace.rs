//! The kind of namespace in which a test can mount; for the agent's tests as well.

use std::process::Command;
use std::sync::OnceLock;

/// The kind of namespace that can be made here. In a chroot whose `/` is no mount point, its propagation cannot
/// be changed; hence the unmounting at the end of each run.
pub(crate) fn namespace() -> &'static [&'static str] {
    static NAMESPACE: OnceLock<&[&str]> = OnceLock::new();
    NAMESPACE.get_or_init(|| {
        if !rustix::process::geteuid().is_root() {
            return &["-Urm"];
        }
        let private = Command::new("unshare").args(["-m", "true"]).output().unwrap();
        if private.status.success() { &["-m"] } else { &["-m", "--propagation", "unchanged"] }
    })
}
