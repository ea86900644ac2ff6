//! TLS by rustls and ring, with the certificate authorities that the distribution trusts.

use crate::root::Root;
use anyhow::Result;
use rustls::crypto::ring::default_provider;
use std::sync::Arc;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// Where Debian's package ca-certificates keeps them all, with what the machine's owner added.
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";

/// Without the file no server is trusted.
pub(crate) fn config(root: &Root) -> Result<TlsConfig> {
    let pem = root.read(AUTHORITIES)?.unwrap_or_default();
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
