//! Follows how the engine stands: in words for the health page, as the model for the status page, and as metrics. It
//! changes nothing.

use std::sync::Arc;

use metrics::gauge;
use reader::inference::Standing;
use reader::model::ModelInfo;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vitals::health::Part;

/// Tells of each change until `stop`.
pub async fn follow(
    mut standing: watch::Receiver<Standing>,
    part: Part,
    model: watch::Sender<Option<Arc<ModelInfo>>>,
    stop: CancellationToken,
) {
    let mut shown: Option<Arc<ModelInfo>> = None;
    loop {
        let now = standing.borrow_and_update().clone();
        match &now.trouble {
            None => part.up(),
            Some(words) => part.down(words),
        }
        if let Some(new) = now.model.filter(|new| shown.as_ref().is_none_or(|old| !Arc::ptr_eq(old, new))) {
            shown.iter().for_each(|old| export(old, 0.0));
            export(&new, 1.0);
            shown = Some(Arc::clone(&new));
            model.send_replace(Some(new));
        }
        if !matches!(stop.run_until_cancelled(standing.changed()).await, Some(Ok(()))) {
            return;
        }
    }
}

/// 1 for the model in use and its provider, 0 for what was in use before.
fn export(model: &ModelInfo, value: f64) {
    let (id, version) = (model.manifest.id.clone(), model.manifest.version.clone());
    gauge!("model_in_use", "model" => id, "version" => version, "provider" => model.provider.to_string()).set(value);
}
