//! The dashboard: its packages by `npm ci`, its files by Vite; each only when what it is made from has changed.

use std::process::Command;

use lab::place;

use super::stamp::{Ingredients, unless_fresh};
use crate::shell;
use crate::step::Steps;

const FOLDER: &str = "cloud-gateway/dashboard";

/// What the built files are made from.
const SOURCES: [&str; 7] =
    ["src", "public", "index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts"];

/// Installs the packages of one folder exactly as its lock file says.
///
/// # Errors
/// What npm said.
pub(crate) fn packages(steps: &mut Steps, folder: &str) -> anyhow::Result<()> {
    let place = place::root().join(folder);
    let mut ingredients = Ingredients::default();
    ingredients.add(&place.join("package-lock.json"))?;
    let installed = place.join("node_modules/.package-lock.json");
    let name = format!("npm-{}", folder.replace('/', "-"));
    unless_fresh(&name, ingredients, &installed, || {
        steps.run(&format!("npm packages of {folder}"), |line| {
            let mut npm = Command::new("npm");
            npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=http"]).current_dir(&place);
            // The browser is Debian's.
            npm.env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
            shell::quietly(&format!("npm ci in {folder}"), &mut npm, line)
        })
    })
}

/// Builds the dashboard's files.
///
/// # Errors
/// What npm, TypeScript or Vite said.
pub(crate) fn build(steps: &mut Steps) -> anyhow::Result<()> {
    packages(steps, FOLDER)?;
    let place = place::root().join(FOLDER);
    let mut ingredients = Ingredients::default();
    SOURCES.iter().try_for_each(|source| ingredients.add(&place.join(source)))?;
    unless_fresh("dashboard", ingredients, &place::dashboard().join("index.html"), || {
        steps.run("dashboard, built by Vite", |line| {
            let mut npm = Command::new("npm");
            npm.args(["run", "build"]).current_dir(&place);
            shell::quietly("npm run build", &mut npm, line)
        })
    })
}
