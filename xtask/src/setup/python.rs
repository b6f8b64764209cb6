//! One virtual environment for each set of pinned Python packages; the system's own Python stays as it is (PEP 668).

use std::path::PathBuf;
use std::process::Command;

use lab::place;

use super::stamp::{Ingredients, unless_fresh};
use crate::shell;
use crate::step::Steps;

/// A virtual environment and what is in it.
struct Environment {
    /// Its folder's name.
    name: &'static str,
    /// Requirement files, each with pip's extra arguments.
    requirements: &'static [(&'static str, &'static [&'static str])],
}

const ENVIRONMENTS: &[Environment] = &[
    Environment { name: "tools", requirements: &[("xtask/pins/tools.txt", &["--require-hashes", "--no-deps"])] },
    Environment {
        name: "k8s",
        requirements: &[("k8s/requirements.txt", &[]), ("k8s/requirements-kubectl.txt", &["--no-deps"])],
    },
    Environment { name: "yocto", requirements: &[("yocto/requirements.txt", &[])] },
    Environment { name: "dicom", requirements: &[("tests/dicom/requirements.txt", &[])] },
    Environment { name: "packaging", requirements: &[("packaging/requirements.txt", &[])] },
];

/// Makes them all.
///
/// # Errors
/// What venv or pip said.
pub(crate) fn all(steps: &mut Steps) -> anyhow::Result<()> {
    ENVIRONMENTS.iter().try_for_each(|environment| make(steps, environment))
}

/// An environment's folder.
#[must_use]
pub(crate) fn environment(name: &str) -> PathBuf {
    place::workshop().join("python").join(name)
}

/// A program in an environment.
#[must_use]
pub(crate) fn program(name: &str, program: &str) -> PathBuf {
    environment(name).join("bin").join(program)
}

fn make(steps: &mut Steps, wanted: &Environment) -> anyhow::Result<()> {
    let (folder, python) = (environment(wanted.name), program(wanted.name, "python"));
    let mut ingredients = Ingredients::default();
    for (file, _) in wanted.requirements {
        ingredients.add(&place::root().join(file))?;
    }
    unless_fresh(&format!("python-{}", wanted.name), ingredients, &python, || {
        steps.run(&format!("Python packages for {}", wanted.name), |line| {
            let mut venv = Command::new("python3");
            venv.args(["-m", "venv", "--clear"]).arg(&folder);
            shell::quietly(&format!("python venv {}", wanted.name), &mut venv, line)?;
            for (file, arguments) in wanted.requirements {
                let mut pip = Command::new(&python);
                pip.args(["-m", "pip", "install", "--disable-pip-version-check"]).args(*arguments);
                pip.arg("--requirement").arg(place::root().join(file));
                shell::quietly(&format!("pip install {}", wanted.name), &mut pip, line)?;
            }
            Ok(())
        })
    })
}
