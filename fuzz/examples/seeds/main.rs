//! Writes the seed corpus: real messages, each made by the code that makes it in the product, in the form of the target that
//! takes it. `cargo run -p hilum-fuzz --example seeds -- fuzz/corpus`

#![allow(clippy::unwrap_used, reason = "a seed that cannot be made is a mistake here")]

mod devices;
mod dicom;
mod hospital;
mod models;
#[allow(unreachable_pub, reason = "it is shared with the gateway's own tests")]
#[path = "../../../cloud-gateway/tests/gateway/samples.rs"]
mod samples;
mod wire;

use std::fs;
use std::path::Path;

/// File names and bytes of one target.
type Seeds = Vec<(&'static str, Vec<u8>)>;

/// The same bytes, seen by the target's view of this number.
fn viewed(view: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    [&[view], bytes.as_ref()].concat()
}

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "fuzz/corpus".to_owned());
    let targets: [(&str, Seeds); 10] = [
        ("bundle", models::bundle()),
        ("children", models::children()),
        ("config", devices::config()),
        ("dataset", dicom::dataset()),
        ("est", devices::est()),
        ("header", dicom::attributes()),
        ("hospital", hospital::hospital()),
        ("outbox", devices::outbox()),
        ("pdu", dicom::pdu()),
        ("wire", wire::wire()),
    ];
    for (target, seeds) in targets {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in seeds {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }
}
