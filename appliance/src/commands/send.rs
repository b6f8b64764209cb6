//! `send`: files to a receiver by C-STORE, one JSON line for each on standard output, progress on standard error.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use rustls_pki_types::ServerName;

use crate::dicom::AeTitle;
use crate::dicom::scu::{Target, send_all};
use crate::dicom::tls::Connector;

/// Exit status where a file was not stored.
const NOT_ALL: u8 = 1;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Whom to send to.
    #[arg(long, value_name = "AE@host:port")]
    to: Target,
    /// The sender's own AE title.
    #[arg(long, value_name = "AE")]
    from: AeTitle,
    /// Send over TLS: the authority that signed for the receiver, PEM.
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// Our certificate, PEM, for receivers that ask for one.
    #[arg(long, value_name = "FILE", requires_all = ["tls_ca", "tls_key"])]
    tls_certificate: Option<PathBuf>,
    /// The certificate's private key, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// The name in the receiver's certificate, where it is another than its host's.
    #[arg(long, value_name = "NAME", requires = "tls_ca")]
    tls_name: Option<String>,
    /// DICOM files, or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

impl Arguments {
    fn connector(&self) -> anyhow::Result<Option<Connector>> {
        let Some(ca) = &self.tls_ca else { return Ok(None) };
        let own = self.tls_certificate.as_deref().zip(self.tls_key.as_deref());
        let name = self.tls_name.clone().map(ServerName::try_from).transpose();
        let name = name.context("--tls-name is neither a host's name nor an address")?;
        Ok(Some(Connector::load(own, ca, name)?))
    }
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let files = files(&arguments.paths)?;
    if files.is_empty() {
        bail!("there is no file in what was named");
    }
    let tls = arguments.connector()?;
    let bar = progress(files.len() as u64, "sent");
    let mut missing = 0u32;
    send_all(&arguments.to, &arguments.from, tls.as_ref(), &files, |sent| {
        // A folder of films often holds a list or a licence, too: told of, and no failure unless it was named itself.
        let passed_over = sent.is_no_dicom() && !arguments.paths.contains(&sent.file);
        missing += u32::from(!sent.is_stored() && !passed_over);
        // The bar steps aside for the line where both are one terminal.
        bar.suspend(|| println!("{}", serde_json::to_string(&sent).unwrap_or_default()));
        bar.inc(1);
    })
    .await;
    bar.finish_and_clear();
    if missing == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("hilum-appliance: {missing} of {} files were not stored; the lines above say why", files.len());
    Ok(ExitCode::from(NOT_ALL))
}

/// What was named, folders opened up, each folder in order of names.
pub(super) fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files).with_context(|| format!("cannot list {}", path.display()))?;
    }
    Ok(files)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries = std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    entries.sort();
    entries.iter().try_for_each(|entry| collect(entry, files))
}

/// A bar on standard error, invisible where that is no terminal.
pub(super) fn progress(length: u64, done: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(done);
    // The template is a constant of ours; an unusable one would leave the plain bar.
    match ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
