//! The whole chain on this machine, for people to see: the lab with a table.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use lab::cloud::REVIEWER;
use lab::house::{House, HousePlan};
use lab::place;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::app::DemoArguments;
use crate::setup::{self, For};
use crate::shell;
use crate::step::Steps;

mod compare;
mod images;
mod ledger;
mod sending;
mod summary;
mod table;
mod watch;

/// The demo's device.
const DEVICE: &str = "demo-1";

/// The dashboard's port, if nothing else listens there: an address that stays from run to run can be bookmarked.
const DASHBOARD_PORT: u16 = 8640;

/// How often a running demo looks for something new.
const GLANCE: Duration = Duration::from_millis(500);

/// Runs the demo.
///
/// # Errors
/// What kept it from starting; a demo that ran and lost an image returns exit status 1 instead.
pub(crate) fn run(arguments: &DemoArguments) -> anyhow::Result<ExitCode> {
    if let Some(folder) = arguments.images.as_ref().filter(|folder| !folder.is_dir()) {
        bail!("--images {} is not a folder", folder.display());
    }
    let stop = stop_signal()?;
    let mut steps = Steps::default();
    setup::run(&mut steps, For::Demo)?;
    build(&mut steps)?;
    let folder = place::fresh("demo")?;
    let mut house = open(&mut steps, arguments, folder)?;
    let logs = house.logs();
    let result = show(&mut steps, arguments, &mut house, &stop);
    if !matches!(result, Ok(true)) {
        print_logs(&mut house, &logs);
    }
    steps.run("stopped everything", |_| {
        drop(house);
        Ok(())
    })?;
    Ok(if result? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends, shows what comes, and tells whether everything came.
fn show(steps: &mut Steps, arguments: &DemoArguments, house: &mut House, stop: &AtomicBool) -> anyhow::Result<bool> {
    let api = house.cloud.log_in()?;
    let batch = images::collect(steps, arguments, &house.folder)?;
    if batch.films.is_empty() {
        bail!("there is no DICOM, PNG or JPEG file to read");
    }
    print_addresses(house);
    let outcome = watch::until_done(house, &api, batch, stop)?;
    summary::print(&outcome);
    if let Some(file) = &arguments.compare {
        compare::print(file, &outcome.accounts, compare::threshold(&house.hospital.plan.bundle)?)?;
    }
    if let Some(file) = &arguments.csv {
        table::write_csv(file, &outcome.accounts)?;
        println!("the table is in {} too", file.display());
    }
    if !arguments.once && !stop.load(Ordering::Relaxed) {
        print_addresses(house);
        println!("Ctrl-C stops everything.");
        linger(house, stop)?;
    }
    Ok(summary::is_complete(&outcome))
}

/// Stays until somebody stops it; says so if a part of the house dies.
fn linger(house: &mut House, stop: &AtomicBool) -> anyhow::Result<()> {
    while !stop.load(Ordering::Relaxed) {
        if let Some((name, words)) = house.casualty() {
            bail!("{name} ended by itself: {words}");
        }
        std::thread::sleep(GLANCE);
    }
    println!();
    Ok(())
}

/// Builds the product's programs.
///
/// # Errors
/// What cargo said.
pub(crate) fn build(steps: &mut Steps) -> anyhow::Result<()> {
    steps.run("Hilum's three programs, built by cargo", |line| {
        let mut cargo = shell::cargo();
        cargo.args(["build", "--locked", "--color=never"]);
        cargo.args(place::PROGRAMS.iter().flat_map(|program| ["--bin", program]));
        shell::quietly("cargo build", &mut cargo, line)
    })
}

fn open(steps: &mut Steps, arguments: &DemoArguments, folder: std::path::PathBuf) -> anyhow::Result<House> {
    let plan = HousePlan { folder, database: None, dashboard_port: Some(DASHBOARD_PORT), device: DEVICE.to_owned() };
    let model = arguments.model.clone().map(|model| model.canonicalize().context("--model is not a folder"));
    let model = model.transpose()?;
    let mut house = steps.run("authority, broker, accounts, enrolment", |_| {
        House::prepare(&plan, |hospital| {
            hospital.site = "demo".to_owned();
            hospital.bundle = model.unwrap_or_else(|| hospital.bundle.clone());
        })
    })?;
    steps.run("cloud gateway with its dashboard", |_| house.cloud.start())?;
    steps.run("appliance with the model", |_| house.hospital.start_appliance())?;
    steps.run("sync-agent, connected to the broker", |_| house.hospital.start_agent())?;
    Ok(house)
}

fn print_addresses(house: &House) {
    println!("\n  dashboard  {}", house.cloud.address());
    println!("  user       {REVIEWER}");
    println!("  password   {}", house.cloud.plan.password);
    println!(
        "  scanner    send to {}@127.0.0.1:{} as {}\n",
        lab::hospital::AE_TITLE,
        house.hospital.plan.dicom_port,
        lab::hospital::SCANNER
    );
}

fn print_logs(house: &mut House, logs: &[(String, std::path::PathBuf)]) {
    println!("\nThe logs of this run:");
    for (name, log) in logs {
        println!("  {name:<18} {}", log.display());
    }
    if let Some((name, words)) = house.casualty() {
        println!("\n{name} ended by itself: {words}");
    }
}

fn stop_signal() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // A second one ends us at once; the children go with us.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .context("Ctrl-C cannot be listened for")?;
    }
    Ok(stop)
}
