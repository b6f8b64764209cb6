//! What this appliance is made of and stands on: addresses, versions, model, disk, temperature, power, clock.

use super::super::Status;
use super::super::certificates::{Certificate, Lasting};
use super::super::html::{Html, facts, text};
use super::super::machine::Machine;
use super::super::words::counted;
use super::{age, moment, sensors, size};

pub(super) fn facts_of(status: &Status) -> Html {
    let running = i64::try_from(status.began.elapsed().as_millis()).unwrap_or(i64::MAX);
    let mut rows = vec![
        ("AE title and port", format!("{} on port {}", status.ae_title, status.dicom_port)),
        ("Appliance", env!("CARGO_PKG_VERSION").to_owned()),
        ("Running for", age(running)),
    ];
    rows.extend(model(status));
    let measured = status.machine.borrow();
    rows.extend(machine(&measured));
    rows.extend(sensors::rows(&status.sensed.borrow()));
    rows.push(("Clock", format!("{}, {}", moment((status.world.now_ms)()), measured.clock.words())));
    let rows = rows.into_iter().map(|(name, value)| (name.to_owned(), text(&value)));
    facts(rows.chain(certificates(status)))
}

fn certificates(status: &Status) -> Vec<(String, Html)> {
    let (found, now_ms) = (status.certificates.borrow(), (status.world.now_ms)());
    let row = |one: &Certificate| {
        let (lasting, words) = one.lasting(now_ms);
        let words = match lasting {
            Lasting::Fine => text(&words),
            Lasting::Soon => text(&words).within("span class=\"soon\""),
            Lasting::Ended => text(&words).within("span class=\"bad\""),
        };
        (format!("Certificate for {}", one.name), words)
    };
    found.iter().map(row).collect()
}

fn model(status: &Status) -> Vec<(&'static str, String)> {
    let Some(model) = &*status.model.borrow() else { return vec![("Model", "being loaded".to_owned())] };
    let (manifest, point) = (&model.manifest, model.operating_point());
    vec![
        ("Model", format!("{} {} ({})", manifest.id, manifest.version, manifest.title)),
        ("Model's SHA-256", model.digest().to_owned()),
        ("Operating point", format!("{}: positive from {:.3}", point.name, point.threshold)),
        ("Computed by", format!("{} ({})", model.provider, model.runtime)),
    ]
}

fn machine(machine: &Machine) -> Vec<(&'static str, String)> {
    let mut rows = vec![("Kernel", machine.kernel.clone())];
    if let Some(disk) = machine.disk {
        let share = 100.0 * disk.free_bytes as f64 / disk.total_bytes.max(1) as f64;
        rows.push(("Disk", format!("{} free of {} ({share:.0} %)", size(disk.free_bytes), size(disk.total_bytes))));
        rows.push((
            "Images on it",
            format!("{} in {}", size(machine.spool_bytes), counted(machine.spool_files, "file", "files")),
        ));
        rows.push(("Disk lasts", lasts(machine)));
    }
    if let Some(hottest) = machine.hottest_celsius {
        rows.push(("Temperature", format!("{hottest:.0} °C, at the hottest sensor")));
    }
    rows
}

/// Images leave the disk once the cloud has confirmed them; this is for when it does not.
fn lasts(machine: &Machine) -> String {
    match machine.days_left() {
        None => "no image in the last day to tell by".to_owned(),
        Some(days) if days > 365.0 => {
            "more than a year at the last day's rate, even if the cloud confirms nothing".to_owned()
        }
        Some(days) => {
            let days = counted(days.round() as u64, "day", "days");
            format!("{days} at the last day's rate if the cloud confirms nothing")
        }
    }
}
