//! Certificate and key of the own TLS listener, read again when the files change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;

use crate::crypto::digest;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// The files, and what was read from them.
#[derive(Debug)]
pub(super) struct Certificate {
    files: Files,
    seen: [u8; 32],
    config: Arc<ArcSwap<ServerConfig>>,
}

#[derive(Debug, Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// Certificate or key cannot be used.
#[derive(Debug)]
pub struct CertificateError {
    setting: &'static str,
    file: PathBuf,
    what: String,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.setting, self.file.display(), self.what)
    }
}

impl std::error::Error for CertificateError {}

impl Certificate {
    /// Reads both files.
    pub(super) fn load(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let files = Files { certificate: certificate.to_owned(), key: key.to_owned() };
        let (seen, config) = files.read().and_then(|bytes| Ok((bytes.digest(), files.config(&bytes)?)))?;
        Ok(Self { files, seen, config: Arc::new(ArcSwap::from_pointee(config)) })
    }

    /// What the listener uses; it changes when the files do.
    pub(super) fn config(&self) -> Arc<ArcSwap<ServerConfig>> {
        Arc::clone(&self.config)
    }

    /// Looks at the files until `stop`. What cannot be used is told once, and the former certificate stays.
    pub(super) async fn watch(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            let files = self.files.clone();
            // Small files, but the disk may be far away.
            match tokio::task::spawn_blocking(move || files.read()).await {
                Ok(Ok(bytes)) => self.take(&bytes),
                Ok(Err(error)) => self.complain(digest::sha256(error.to_string().as_bytes()), &error),
                Err(error) => tracing::error!(%error, "the certificate could not be looked at"),
            }
        }
    }

    fn take(&mut self, bytes: &Bytes) {
        let digest = bytes.digest();
        if digest == self.seen {
            return;
        }
        match self.files.config(bytes) {
            Ok(config) => {
                self.seen = digest;
                self.config.store(Arc::new(config));
                tracing::info!(file = %self.files.certificate.display(), "a new certificate is in use");
            }
            Err(error) => self.complain(digest, &error),
        }
    }

    fn complain(&mut self, digest: [u8; 32], error: &CertificateError) {
        if digest != self.seen {
            self.seen = digest;
            tracing::error!(alarm = "certificate", %error, "the new certificate cannot be used, the former one stays");
        }
    }
}

/// Whoever reads the key can be this server; nobody but its owner may.
#[cfg(unix)]
fn refuse_loose(key: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(key).map_err(|cause| cause.to_string())?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(format!("can be read by others (mode {:04o}); run `chmod 600 {}`", mode & 0o7777, key.display()))
}

#[cfg(not(unix))]
fn refuse_loose(_key: &Path) -> Result<(), String> {
    Ok(())
}

struct Bytes {
    certificate: Vec<u8>,
    key: zeroize::Zeroizing<Vec<u8>>,
}

impl Bytes {
    fn digest(&self) -> [u8; 32] {
        digest::sha256(&[digest::sha256(&self.certificate), digest::sha256(&self.key)].concat())
    }
}

impl Files {
    fn error(&self, file: &Path, what: String) -> CertificateError {
        let setting = if file == self.key { "server.tls.key" } else { "server.tls.certificate" };
        CertificateError { setting, file: file.to_owned(), what }
    }

    fn read(&self) -> Result<Bytes, CertificateError> {
        let read = |file: &Path| std::fs::read(file).map_err(|error| self.error(file, error.to_string()));
        refuse_loose(&self.key).map_err(|what| self.error(&self.key, what))?;
        Ok(Bytes { certificate: read(&self.certificate)?, key: read(&self.key)?.into() })
    }

    fn config(&self, bytes: &Bytes) -> Result<ServerConfig, CertificateError> {
        let error = |file: &Path, what: String| self.error(file, what);
        let chain = CertificateDer::pem_slice_iter(&bytes.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|cause| error(&self.certificate, format!("is not a PEM certificate: {cause}")))?;
        // The parser's own error may quote the file.
        let key = PrivateKeyDer::from_pem_slice(&bytes.key)
            .map_err(|_| error(&self.key, "holds no private key in PEM form".to_owned()))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|cause| error(&self.certificate, format!("does not fit its key: {cause}")))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}
