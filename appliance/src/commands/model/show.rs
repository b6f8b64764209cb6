//! Bundles and slots in plain words.

use reader::model::slots::Name;
use reader::model::{Bundle, Rule};

use crate::model::Models;

/// Characters of a digest that people type: a million models would not share so many.
const SHORT: usize = 12;

pub(super) fn short(digest: &str) -> &str {
    digest.get(..SHORT).unwrap_or(digest)
}

/// One line for each installed model.
pub(super) fn list(models: &Models) -> anyhow::Result<()> {
    let slots = models.slots.list()?;
    if slots.is_empty() {
        println!("No model is installed yet; the service installs [model] bundle at its first start.");
    }
    for slot in slots {
        let names: Vec<&str> = slot.names.iter().map(|name| words(*name)).collect();
        let said = match Bundle::open(&models.slots.path(&slot.digest), &models.trust) {
            Ok(bundle) => format!("{} {}", bundle.manifest.id, bundle.manifest.version),
            Err(error) => format!("not usable: {}", vitals::exit::chain(&error)),
        };
        println!("{}  {said}  {}", short(&slot.digest), names.join(", "));
    }
    Ok(())
}

fn words(name: Name) -> &'static str {
    match name {
        Name::Active => "in force",
        Name::Candidate => "watching",
        Name::Previous => "in force before",
    }
}

/// What a bundle says of itself, as it would be used at `site`.
pub(super) fn bundle(bundle: &Bundle, site: &str) {
    let manifest = &bundle.manifest;
    let rule = Rule::at(manifest, site);
    let own = if manifest.sites.contains_key(site) { "measured at this site" } else { "the publisher's own" };
    let distribution =
        manifest.distribution.as_ref().map_or("none: images unlike its training are not told apart", |_| "yes");
    println!("Model            {} {}: {}", manifest.id, manifest.version, manifest.title);
    println!("Bundle           {}", bundle.digest);
    println!("Signed by        {}", bundle.publisher.as_deref().unwrap_or("nobody"));
    println!(
        "Made for         {}, {} to {} years",
        manifest.intended_use.population, manifest.intended_use.age_years[0], manifest.intended_use.age_years[1]
    );
    for not in &manifest.intended_use.not_for {
        println!("Not for          {not}");
    }
    println!("Operating point  {}: positive at {:.4} or more ({own})", rule.point.name, rule.point.threshold);
    println!(
        "                 sensitivity {:.3}, specificity {:.3}, {}",
        rule.point.sensitivity, rule.point.specificity, rule.point.measured_on
    );
    println!("Calibration      probability = sigmoid({:.4} · logit + {:.4})", rule.slope, rule.intercept);
    println!("Distribution     {distribution}");
    println!("Golden images    {}", manifest.golden.len());
    println!("Licence          {}", manifest.licence);
    println!("Model card       {}", manifest.model_card.file);
}
