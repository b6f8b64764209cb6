//! At the start, where the active model does not prove itself: the one before it reads instead, and health says so until a
//! model is put in force by hand. Happens once; two models that fail in turn must not chase each other.

use reader::inference::Standing;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Switch;

/// Waits until a model reads or the active one was refused; in the second case goes back.
pub async fn watch(switch: Switch, mut standing: watch::Receiver<Standing>, stop: CancellationToken) {
    let settled = standing.wait_for(|now| now.model.is_some() || now.refused.is_some());
    let refused = match stop.run_until_cancelled(settled).await {
        Some(Ok(settled)) => settled.refused.clone().filter(|_| settled.model.is_none()),
        _ => return,
    };
    let Some(why) = refused else { return resume(switch).await };
    tracing::error!(error = why, "the active model is refused on this machine; going back to the one before it");
    let theirs = switch.clone();
    let back = tokio::task::spawn_blocking(move || theirs.roll_back(&mut |_| ())).await;
    match back {
        Ok(Ok(model)) => switch.part().down(&format!(
            "the active model was refused at the start ({why}); version {} reads instead: install a sound bundle and put \
             it in force with `hilum-appliance model activate`",
            model.manifest.version
        )),
        Ok(Err(error)) => tracing::error!(error = vitals::exit::chain(&error), "there is no way back"),
        Err(_) => {}
    }
}

async fn resume(switch: Switch) {
    match tokio::task::spawn_blocking(move || switch.resume_shadow()).await {
        Ok(Ok(Some(model))) => tracing::info!(version = model.manifest.version, "the candidate watches again"),
        Ok(Err(error)) => tracing::warn!(error = vitals::exit::chain(&error), "the candidate does not watch"),
        Ok(Ok(None)) | Err(_) => {}
    }
}
