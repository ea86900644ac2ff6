//! Damaged user-data: what says that it did not arrive as it was meant.

use super::expand::Parts;
use super::part::{Dropped, Part};
use super::{Effect, cloud_config, effect, kinds, unknown};

/// The damage in words: data that could not be taken apart, and configuration that cannot be read. A whole of no known
/// kind (a server's page for an error) is damage too. Parts that were so before are no news.
pub(crate) fn damage(
    parts: &Parts,
    was_bad: impl Fn(&Dropped) -> bool,
    is_known: impl Fn(&Part) -> bool,
) -> Vec<String> {
    let dropped = parts.dropped.iter().filter(|dropped| !dropped.is_include() && !was_bad(dropped));
    let dropped = dropped.map(ToString::to_string);
    let faulty = parts.all.iter().filter(|part| !is_known(part)).filter_map(fault);
    dropped.chain(faulty).collect()
}

fn fault(part: &Part) -> Option<String> {
    if effect(part) == Effect::Configuration {
        let error = cloud_config::read(&part.payload).err()?;
        return Some(part.dropped(format!("{error:#}")).to_string());
    }
    let is_unknown = part.content_type == kinds::UNKNOWN && !part.payload.trim_ascii().is_empty();
    is_unknown.then(|| unknown(part).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::Root;
    use crate::user_data::{IncludeReach, Includes, expand};

    #[test]
    fn damage_is_what_cannot_be_meant() {
        let root = Root::open(std::path::Path::new("/")).unwrap();
        let includes = Includes::new(&root, None, IncludeReach::Nothing);
        let found =
            |data: &[u8]| damage(&expand([("user-data", data)], &includes).for_all(), |_| false, |_| false);
        for whole in [
            &b""[..],
            b"\n",
            b"#!/bin/sh\n",
            b"#cloud-config\nhostname: a\n",
            b"#include\nhttp://127.0.0.1:9/\n",
            b"#cloud-config-archive\n- '#!/bin/sh'\n",
        ] {
            assert_eq!(found(whole), [""; 0], "{whole:?}");
        }
        for (damaged, told) in [
            (&b"#cloud-config\nhostname: [a\n"[..], "line 3"),
            (b"#cloud-config\nhostname: a\nruncm", "line 4"),
            (b"#cloud-config\n", "nothing below the first line"),
            (b"#cloud-config\n- a\n", "is dropped"),
            (b"#cloud-config\na: \xff\n", "is dropped"),
            (b"\x1f\x8b\x08\0\0\0\0\0\0\x03abc", "unpack gzip"),
            (b"<html>\n502 Bad Gateway\n", "is dropped"),
            (b"\0\0\0\0\0\0\0\0", "is dropped"),
            (b"#cloud-config-archive\n- [\n", "the archive is dropped"),
        ] {
            let found = found(damaged);
            assert!(matches!(found.as_slice(), [one] if one.contains(told)), "{damaged:?}: {found:?}");
        }
    }

    #[test]
    fn what_was_so_before_is_no_damage() {
        let root = Root::open(std::path::Path::new("/")).unwrap();
        let includes = Includes::new(&root, None, IncludeReach::Nothing);
        let parts = expand([("user-data", &b"#cloud-config\na: [\n"[..])], &includes).for_all();
        assert_eq!(damage(&parts, |_| true, |_| true), [""; 0]);
    }
}
