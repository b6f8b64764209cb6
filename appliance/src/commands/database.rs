//! The device's database and the key of the disk, for the commands that work beside the service. They open; the service alone
//! encrypts a database from before the encryption.

use std::path::Path;

use anyhow::bail;
use outbox::Outbox;

use crate::at_rest::{AtRest, CREDENTIAL};
use crate::config::DeviceConfig;

/// Where systemd keeps the running service's keys; root can read them.
const SERVICE_CREDENTIALS: &str = "/run/credentials/hilum-appliance.service";

/// The database, with the key from where the service gets it.
pub(super) fn open(device: &DeviceConfig) -> anyhow::Result<Outbox> {
    let file = device.state_dir.join("outbox.sqlite");
    if !file.is_file() {
        bail!("there is no {}; is [device] state_dir the service's own, and did it ever run?", file.display());
    }
    Ok(Outbox::open(&file, &key(device)?.database_key()?)?)
}

/// The key, and that it is this folder's: from this process' credentials, the file, or the service's credentials.
pub(super) fn key(device: &DeviceConfig) -> anyhow::Result<AtRest> {
    let service = Path::new(SERVICE_CREDENTIALS);
    let borrowed = device.at_rest_key.is_none() && service.join(CREDENTIAL).is_file();
    let key = if borrowed { AtRest::load(Some(service), None, rand::random)? } else { device.at_rest()? };
    key.opens(&device.state_dir)?;
    Ok(key)
}
