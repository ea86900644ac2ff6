//! The vermagic of a module: the release and the options of the kernel that it was built for.

use std::ffi::CStr;

/// The field's name in the module's section of NUL-terminated strings, behind another one.
const FIELD: &[u8] = b"\0vermagic=";

/// A value that is longer is none.
pub(super) const LONGEST: usize = 256;

/// Finds the value in a module that is not packed.
pub(super) fn find(module: &[u8]) -> Option<&str> {
    let mut rest = module;
    loop {
        let at = rest.windows(FIELD.len()).position(|window| window == FIELD)?;
        rest = rest.get(at + FIELD.len()..)?;
        let value = rest.get(..LONGEST).unwrap_or(rest);
        let value = CStr::from_bytes_until_nul(value).ok().and_then(|value| value.to_str().ok());
        let printable = |value: &&str| value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if let Some(value) = value.filter(printable).map(str::trim_end).filter(|value| !value.is_empty()) {
            return Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_found_among_the_other_strings() {
        let module = b"\x7fELF\0license=GPL\0vermagic=6.1.0-50 SMP mod_unload modversions \0name=a\0";
        assert_eq!(find(module), Some("6.1.0-50 SMP mod_unload modversions"));
    }

    #[test]
    fn what_only_looks_like_it_is_passed_over() {
        let long = [FIELD, &[b'x'; 300], b"\0"].concat();
        for (module, value) in [
            (&b"\0vermagic=%s\n\0text\0vermagic=6.1\0"[..], Some("6.1")),
            (b"\0vermagic=\0vermagic=6.1\0", Some("6.1")),
            (b"\0my_vermagic=6.1\0", None),
            (b"\0vermagic=6.1", None),
            (b"\0vermagic=\xff\0", None),
            (b"\0vermagic", None),
            (b"", None),
            (&long, None),
        ] {
            assert_eq!(find(module), value, "{}", module.escape_ascii());
        }
    }
}
