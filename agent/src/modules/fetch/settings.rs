//! Where the tarball is: `lifeboat.modules-url=` on the kernel command line, else the agent's configuration.

use crate::command_line;
use crate::root::Root;
use anyhow::{Result, bail};
use lifeboat_common::command_line::CommandLine;
use lifeboat_common::environment_file::lookup;

const CONFIGURATION: &str = "etc/default/lifeboat-agent";

const PARAMETER: &str = "lifeboat.modules-url";

/// The placeholders for the kernel's release and for the machine's architecture.
const PLACEHOLDERS: [&str; 2] = ["{release}", "{arch}"];

/// The tarball that is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Setting {
    /// With `{release}` and `{arch}` still in it.
    url: String,
    /// The digest that the tarball must have, in lower case.
    pub(crate) sha256: Option<String>,
}

/// Reads it; `None` when nothing is asked for.
pub(crate) fn read(root: &Root) -> Result<Option<Setting>> {
    let line = command_line::read(root)?;
    let configuration = root.read_text(CONFIGURATION)?.unwrap_or_default();
    parse(&line, &configuration)
}

fn parse(line: &CommandLine, configuration: &str) -> Result<Option<Setting>> {
    if line.switched_off("modules").is_some() {
        return Ok(None);
    }
    let (url, beside) = match line.value(PARAMETER) {
        Some(url) => (url.to_owned(), None),
        None => (
            lookup(configuration, "LIFEBOAT_MODULES_URL").unwrap_or_default(),
            lookup(configuration, "LIFEBOAT_MODULES_SHA256").filter(|digest| !digest.is_empty()),
        ),
    };
    if url.is_empty() {
        return Ok(None);
    }
    let (url, digest) = match url.split_once('#') {
        Some((url, fragment)) => match fragment.strip_prefix("sha256=") {
            Some(digest) => (url, Some(digest.to_owned())),
            None => bail!("`#{}` is no `#sha256=` with 64 digits", fragment.escape_debug()),
        },
        None => (url.as_str(), beside),
    };
    let sha256 = digest.map(|digest| hexadecimal(&digest)).transpose()?;
    Ok(Some(Setting { url: url.to_owned(), sha256 }))
}

impl Setting {
    /// The URL for a kernel.
    pub(crate) fn url(&self, release: &str, architecture: &str) -> String {
        let values = [release, architecture];
        let fill = |url: String, (name, value): (&&str, &str)| url.replace(name, value);
        PLACEHOLDERS.iter().zip(values).fold(self.url.clone(), fill)
    }
}

/// A SHA-256 in lower case.
pub(crate) fn hexadecimal(digest: &str) -> Result<String> {
    if digest.len() != 64 || !digest.chars().all(|digit| digit.is_ascii_hexdigit()) {
        bail!("`{}` is no SHA-256, which has 64 hexadecimal digits", digest.escape_debug());
    }
    Ok(digest.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF";

    fn read(line: &str, configuration: &str) -> String {
        match parse(&CommandLine::parse(line), configuration) {
            Ok(Some(setting)) => {
                let digest = setting.sha256.clone().unwrap_or_default();
                format!("{} {digest}", setting.url("6.1.0-1", "x86_64")).trim_end().to_owned()
            }
            Ok(None) => "nothing".to_owned(),
            Err(error) => format!("refused: {error:#}"),
        }
    }

    #[test]
    fn the_command_line_wins_over_the_configuration() {
        let configuration = "# why\nLIFEBOAT_MODULES_URL=\"http://c/{release}\"\n";
        assert_eq!(read("ro quiet", configuration), "http://c/6.1.0-1");
        assert_eq!(read("lifeboat.modules-url=http://l/", configuration), "http://l/");
        let line = "lifeboat.modules-url=http://l/ lifeboat.modules-url=https://last/{arch}/{release}.tar.xz";
        assert_eq!(read(line, configuration), "https://last/x86_64/6.1.0-1.tar.xz");
        assert_eq!(read("\"lifeboat.modules-url=http://l/a b\"", ""), "http://l/a b");
    }

    #[test]
    fn nothing_is_asked_for_by_default_and_when_it_is_switched_off() {
        let configuration = "LIFEBOAT_MODULES_URL=http://c/\n";
        assert_eq!(read("ro", "#LIFEBOAT_MODULES_URL=http://c/\n"), "nothing");
        for line in ["lifeboat=off", "lifeboat.modules=off", "lifeboat.modules-url="] {
            assert_eq!(read(line, configuration), "nothing", "{line}");
        }
        assert_eq!(read("lifeboat.modules=force lifeboat=on", configuration), "http://c/");
    }

    #[test]
    fn a_digest_stands_in_the_fragment_or_in_the_configuration() {
        let lower = DIGEST.to_lowercase();
        let line = format!("lifeboat.modules-url=http://l/#sha256={DIGEST}");
        assert_eq!(read(&line, ""), format!("http://l/ {lower}"));
        let configuration = format!("LIFEBOAT_MODULES_URL=http://c/\nLIFEBOAT_MODULES_SHA256={DIGEST}\n");
        assert_eq!(read("", &configuration), format!("http://c/ {lower}"));
        // It is the configured tarball's, not that of the command line.
        assert_eq!(read("lifeboat.modules-url=http://l/", &configuration), "http://l/");
    }

    #[test]
    fn a_digest_that_is_none_is_refused() {
        for fragment in ["#sha256=", "#sha256=12", "#sha512=12", "#", &format!("#sha256={DIGEST}0")] {
            let said = read(&format!("lifeboat.modules-url=http://l/{fragment}"), "");
            assert!(said.starts_with("refused: `"), "{fragment}: {said}");
        }
    }
}
