//! TensorRT's engines are built at the first start and found at the second.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use reader::model::{Loaded, SessionConfig, Trust};

/// Opens the model twice over one fresh folder: the second time nothing in it may be written.
pub(crate) fn check(bundle: &Path, key: &Path, library: &Path, config: &SessionConfig) -> Result<String> {
    let folder = std::env::temp_dir().join(format!("hilum-hw-engines-{}", std::process::id()));
    let config = SessionConfig { engines: Some(folder.clone()), ..config.clone() };
    let trust = Trust::load(&[key.to_owned()])?;
    let start = || -> Result<f64> {
        let started = Instant::now();
        Loaded::open(bundle, &trust, "", library, &config)?.proved()?;
        Ok(started.elapsed().as_secs_f64())
    };
    let first = start()?;
    let built = written(&folder)?;
    ensure!(built.keys().any(|file| file.extension().is_some_and(|kind| kind == "engine")), "no engine was kept");
    let second = start()?;
    ensure!(written(&folder)? == built, "the second start built engines again");
    std::fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    Ok(format!(
        "{first:.1} s until the model had proved itself the first time, {second:.1} s the second, nothing built again"
    ))
}

/// Every file below `folder` with the time it was written.
fn written(folder: &Path) -> Result<BTreeMap<PathBuf, SystemTime>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{} cannot be listed", folder.display()))? {
        let (path, about) = {
            let entry = entry?;
            (entry.path(), entry.metadata()?)
        };
        if about.is_dir() {
            found.extend(written(&path)?);
        } else {
            found.insert(path, about.modified()?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_again_is_seen() {
        let folder = std::env::temp_dir().join(format!("hilum-hw-written-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("key")).unwrap();
        let file = folder.join("key/a.engine");
        std::fs::write(&file, "1").unwrap();
        let before = written(&folder).unwrap();
        assert_eq!(before.keys().collect::<Vec<_>>(), [&file]);
        assert_eq!(written(&folder).unwrap(), before);
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(later).unwrap();
        assert_ne!(written(&folder).unwrap(), before);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
