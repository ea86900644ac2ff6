//! A message's headers, and what they say of its type, its name and its boundary.

use super::super::python::strip;
use super::parameters::parameter;

/// More headers than anybody writes are passed over.
const MOST: usize = 1000;

/// Names and values in their order.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value under a name, in whatever case it is written.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Names and values in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter()
    }

    /// The number of headers.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds one at the end.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        if self.0.len() < MOST {
            self.0.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Sets one, in the place of all of that name.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self.add(name, value);
    }

    /// The type in lower case, without its parameters.
    pub(crate) fn content_type(&self, default: &str) -> String {
        let Some(value) = self.get("Content-Type") else { return default.to_owned() };
        let word = value.split_once(';').map_or(value, |(word, _)| word);
        let word = strip(word).to_lowercase();
        // RFC 2045: what is no type counts as text.
        let is_type = word.matches('/').count() == 1 || word == super::super::kinds::EC2_CONFIG;
        if is_type { word } else { super::PLAIN.to_owned() }
    }

    /// The separator of a multipart's parts.
    pub(super) fn boundary(&self) -> Option<String> {
        let boundary = parameter(self.get("Content-Type")?, "boundary")?;
        Some(boundary.trim_end_matches(super::super::python::is_space).to_owned())
    }

    /// The file name that is given, which may be empty.
    pub(crate) fn file_name(&self) -> Option<String> {
        let disposition = self.get("Content-Disposition").and_then(|value| parameter(value, "filename"));
        let name = disposition.or_else(|| parameter(self.get("Content-Type")?, "name"))?;
        Some(strip(&name).to_owned())
    }

    /// Gives a file name.
    pub(crate) fn set_file_name(&mut self, name: &str) {
        let parameter = super::parameters::written("filename", name);
        self.set("Content-Disposition", &format!("attachment; {parameter}"));
    }

    /// The encoding of the body.
    pub(super) fn encoding(&self) -> String {
        self.get("Content-Transfer-Encoding").unwrap_or_default().to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in pairs {
            headers.add(name, value);
        }
        headers
    }

    #[test]
    fn what_is_no_type_is_text() {
        for (value, expected) in [
            ("Text/Cloud-Config; a=b", "text/cloud-config"),
            ("cloudconfig", "text/plain"),
            ("text/cloud/config", "text/plain"),
            ("", "text/plain"),
            ("\"text/x\"", "\"text/x\""),
        ] {
            assert_eq!(headers(&[("CONTENT-type", value)]).content_type("a/b"), expected, "{value}");
        }
        assert_eq!(headers(&[]).content_type("a/b"), "a/b");
    }

    #[test]
    fn a_name_is_in_the_disposition_or_the_type() {
        let both = headers(&[
            ("Content-Type", "a/b; name=t"),
            ("Content-Disposition", "attachment; filename=\" d \""),
        ]);
        assert_eq!(both.file_name().unwrap(), "d");
        assert_eq!(headers(&[("Content-Type", "a/b; name=t")]).file_name().unwrap(), "t");
        assert_eq!(headers(&[("Content-Type", "a/b")]).file_name(), None);
        for name in ["a\"; b\\", "caf\u{e9} 100%'s", "a\n\tb", ""] {
            let mut given = headers(&[]);
            given.set_file_name(name);
            assert_eq!(given.file_name().unwrap(), name);
            assert!(given.get("content-disposition").unwrap().is_ascii());
        }
    }

    #[test]
    fn headers_have_an_end() {
        let mut many = Headers::default();
        for _ in 0..5000 {
            many.add("a", "b");
        }
        assert_eq!(many.iter().count(), MOST);
    }
}
