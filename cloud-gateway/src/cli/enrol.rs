//! `cloud-gateway enrol …`: taking devices in, over the network by a token or by an operator's hand.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;
use vitals::config::load;
use wire::ids::DeviceId;

use super::ConfigFile;
use crate::app;
use crate::auth::sites::Sites;
use crate::config::Config;
use crate::domain::when;
use crate::enrolment::claim::{Claim, ClaimToken};
use crate::enrolment::invitation::{Door, MAX_VALID_S, invite};
use crate::enrolment::request::CertificateRequest;

/// Ways in.
#[derive(Subcommand)]
pub enum EnrolCommand {
    /// Make a one-time token that lets a device ask for its certificate over the network
    Token {
        /// The configuration.
        #[command(flatten)]
        config: ConfigFile,
        /// The device's name: lower-case letters, digits and '-'
        #[arg(long)]
        device: DeviceId,
        /// The site that it stands in
        #[arg(long)]
        site: String,
        /// How long the token is good for: a number and m, h or d, at most 31d
        #[arg(long, default_value = "24h", value_parser = seconds)]
        valid: i64,
        /// Let the device in although it was revoked
        #[arg(long)]
        reinstate: bool,
    },
    /// Sign a request that was carried here, where there is no network
    Sign {
        /// The configuration.
        #[command(flatten)]
        config: ConfigFile,
        /// The site that the device stands in
        #[arg(long)]
        site: String,
        /// Where to write the answer for `hilum-sync-agent enrol-accept`
        #[arg(long)]
        out: PathBuf,
        /// Let the device in although it was revoked
        #[arg(long)]
        reinstate: bool,
        /// What `hilum-sync-agent enrol-request` wrote
        request: PathBuf,
    },
}

/// Does it.
///
/// # Errors
/// A chain of causes whose first sentence is for whoever typed the command.
pub async fn run(command: EnrolCommand) -> anyhow::Result<()> {
    match command {
        EnrolCommand::Token { config, device, site, valid, reinstate } => {
            let made_at = when::now();
            let expires_at = made_at + valid * 1_000;
            let claim = Claim { device, site, reinstate, made_at, expires_at, used_by: None };
            make_token(&load(&config.file)?, &claim).await
        }
        EnrolCommand::Sign { config, site, out, reinstate, request } => {
            sign(&load(&config.file)?, &site, &out, reinstate, &request).await
        }
    }
}

async fn make_token(config: &Config, claim: &Claim) -> anyhow::Result<()> {
    let Some(est) = &config.est else {
        bail!("the configuration has no [est], so no device could use a token here; add it, or use `enrol sign`")
    };
    let door = Door::open(est)?;
    let token = ClaimToken::new(rand::random());
    let store = app::open_store(config).await?;
    invite(&store, &Sites::All, &token, claim, "operator".to_owned()).await?;
    store.close().await;
    let until = when::rfc3339(claim.expires_at).unwrap_or_default();
    println!("{}", *token.show());
    eprintln!("It lets {} in, once, until {until}. On the device:", claim.device);
    eprintln!("  hilum-sync-agent enrol --url {} --pin {} --token -", door.url, door.pin);
    Ok(())
}

async fn sign(config: &Config, site: &str, out: &Path, reinstate: bool, request: &Path) -> anyhow::Result<()> {
    let text = std::fs::read(request).with_context(|| format!("{} cannot be read", request.display()))?;
    let request = CertificateRequest::from_pem(&text)
        .with_context(|| format!("{} is no request of `hilum-sync-agent enrol-request`", request.display()))?;
    let registrar = app::registrar(config, app::open_store(config).await?)?;
    let answer = registrar.by_hand(&request, site, reinstate, when::now()).await?;
    registrar.store.close().await;
    std::fs::write(out, serde_json::to_vec_pretty(&answer)?)
        .with_context(|| format!("{} cannot be written; the device is enrolled, so run this again", out.display()))?;
    println!("enrolled {} at {site}; give {} to `hilum-sync-agent enrol-accept`", answer.device, out.display());
    Ok(())
}

/// `90m`, `24h` or `7d` in seconds.
fn seconds(text: &str) -> Result<i64, String> {
    let wrong = || "write a number and m, h or d, such as 24h; at most 31d".to_owned();
    let unit = match text.chars().last() {
        Some('m') => 60,
        Some('h') => 60 * 60,
        Some('d') => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let number: i64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let valid = number.checked_mul(unit).filter(|seconds| (1..=MAX_VALID_S).contains(seconds));
    valid.ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_number_and_a_unit() {
        for (text, expected) in
            [("30m", Some(1_800)), ("24h", Some(86_400)), ("31d", Some(MAX_VALID_S)), ("32d", None), ("0h", None)]
        {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        }
        for text in ["", "h", "24", "-1h", "1w", "9999999999999999999d", "1ü"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
