//! TLS by rustls and ring, with the certificate authorities that the distribution trusts.

use crate::root::Root;
use anyhow::Result;
use rustls::CertificateError;
use rustls::crypto::ring::default_provider;
use std::sync::Arc;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// Where distributions keep them all, with what the machine's owner added: Debian, Fedora, SUSE, Alpine.
const AUTHORITIES: &[&str] = &[
    "etc/ssl/certs/ca-certificates.crt",
    "etc/pki/tls/certs/ca-bundle.crt",
    "etc/ssl/ca-bundle.pem",
    "etc/ssl/cert.pem",
];

/// Without such a file no server is trusted.
pub(crate) fn config(root: &Root) -> Result<TlsConfig> {
    let mut pem = Vec::new();
    for path in AUTHORITIES {
        if let Some(content) = root.read(path)? {
            pem = content;
            break;
        }
    }
    // One that cannot be read is one that is not trusted.
    let authorities: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(default_provider()))
        .root_certs(RootCerts::new_with_certs(&authorities))
        .build())
}

/// True if the server will not be believed later either. A certificate that is not valid yet, or any more, may be once
/// the machine's clock is right.
pub(crate) fn is_lasting(error: &std::io::Error) -> bool {
    match error.get_ref().and_then(|cause| cause.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(problem)) => !matches!(
            problem,
            CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
                | CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    #[test]
    fn a_clock_may_be_set_and_an_authority_stays_unknown() {
        let of = |problem| Error::new(ErrorKind::InvalidData, rustls::Error::InvalidCertificate(problem));
        assert!(is_lasting(&of(CertificateError::UnknownIssuer)));
        assert!(is_lasting(&of(CertificateError::BadSignature)));
        assert!(!is_lasting(&of(CertificateError::NotValidYet)));
        assert!(!is_lasting(&of(CertificateError::Expired)));
        assert!(!is_lasting(&Error::new(ErrorKind::InvalidData, "cut off")));
        assert!(!is_lasting(&ErrorKind::UnexpectedEof.into()));
    }
}
