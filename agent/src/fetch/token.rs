//! A token for a metadata service that refuses whoever has none, as Firecracker's does in its version 2. It goes to no
//! other server.

use ureq::http::Uri;

/// Where a service makes tokens.
pub(super) const PLACE: &str = "/latest/api/token";

/// The seconds that a token is to live, under Firecracker's name and under EC2's.
pub(super) const LIFE: [(&str, &str); 2] =
    [("X-metadata-token-ttl-seconds", "21600"), ("X-aws-ec2-metadata-token-ttl-seconds", "21600")];

/// The names under which a token is sent.
const NAMES: [&str; 2] = ["X-metadata-token", "X-aws-ec2-metadata-token"];

/// A server, without what a URL says of a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Origin(String);

impl Origin {
    /// The server of a URL; `None` where the URL has a user, who needs no token.
    pub(super) fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?.as_str());
        (!authority.contains('@')).then(|| Self(format!("{scheme}://{authority}")))
    }

    /// A place on it.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

/// A token as a header can hold it.
pub(super) fn parse(body: Vec<u8>) -> Option<String> {
    let token = String::from_utf8(body).ok()?;
    let token = token.trim();
    (!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())).then(|| token.to_owned())
}

/// The headers that carry a token.
pub(super) fn headers(token: &str) -> [(&'static str, &str); 2] {
    NAMES.map(|name| (name, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_without_its_paths_and_none_with_a_user_is() {
        let of = |url| Origin::of(url).map(|origin| origin.at("/x"));
        assert_eq!(
            of("http://169.254.169.254/latest/meta-data").as_deref(),
            Some("http://169.254.169.254/x")
        );
        assert_eq!(of("http://[fd00::1]:80").as_deref(), Some("http://[fd00::1]:80/x"));
        assert_eq!(of("https://a/?b@c").as_deref(), Some("https://a/x"));
        for other in ["http://me:pw@a/", "/seed", "a"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn a_token_is_a_word() {
        assert_eq!(parse(b"abc==\n".to_vec()).as_deref(), Some("abc=="));
        for other in [&b""[..], b"a b", b"a\r\nb", b"\xff"] {
            assert_eq!(parse(other.to_vec()), None, "{other:?}");
        }
    }
}
