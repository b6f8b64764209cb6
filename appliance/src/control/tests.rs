//! The socket itself: who may open it, how much it takes, how long it waits. What orders do is tested on the real service.

use std::io::{Read, Write};

use reader::inference::{Engine, EngineConfig, WorkerConfig};
use reader::model::Slots;
use vitals::health::Health;

use super::*;

/// A service without a model: its orders are refused, in words.
fn hands(folder: &Path) -> Hands {
    let worker = WorkerConfig::new("/nowhere".into(), Vec::new());
    let config = EngineConfig::new("/nowhere".into(), reader::model::Trust::default(), "/nowhere".into(), worker);
    let part = Health::default().part("model", "");
    let outbox = outbox::Outbox::open(&folder.join("outbox.sqlite"), &[9; 32].into()).unwrap();
    Hands {
        switch: Switch::new(Slots::open(&folder.join("models")).unwrap(), Engine::start(config).unwrap(), part),
        journal: Journal::start(outbox).unwrap(),
        couriers: Arc::default(),
        world: World::real(),
    }
}

/// A folder whose path alone is longer than a socket's address may be.
fn deep() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a-folder-name-of-forty-characters-or-more").join("x".repeat(80));
    fs::create_dir_all(&deep).unwrap();
    (folder, deep)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_in_a_deep_folder_and_only_its_own_user_may_ask() {
    let (_folder, state_dir) = deep();
    assert!(matches!(order(&state_dir, &Order::RollBack).await, Err(ControlError::NotRunning)));
    // What a killed service leaves behind is no hindrance, and no service.
    drop(listen(&state_dir).unwrap());
    assert!(matches!(order(&state_dir, &Order::RollBack).await, Err(ControlError::NotRunning)));
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listen(&state_dir).unwrap(), hands(&state_dir), stop.clone()));
    assert_eq!(fs::metadata(state_dir.join(NAME)).unwrap().permissions().mode() & 0o777, 0o600);
    let answer = order(&state_dir, &Order::RollBack).await.unwrap();
    assert!(matches!(&answer, Answer::Refused(words) if words.contains("no model before")), "{answer:?}");
    let answer = order(&state_dir, &Order::Activate { slot: "ab".into() }).await.unwrap();
    assert!(
        matches!(&answer, Answer::Refused(words) if words.contains("no installed model begins with ab")),
        "{answer:?}"
    );
    let answer = order(&state_dir, &Order::Retry { which: Which::All }).await.unwrap();
    assert!(matches!(&answer, Answer::Refused(words) if words.contains("delivery list")), "{answer:?}");
    let answer = order(&state_dir, &Order::Shadow { slot: None }).await.unwrap();
    assert_eq!(answer, Answer::Done("no candidate watches any more".into()));
    stop.cancel();
    serving.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_refused_and_a_line_without_end_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listen(folder.path()).unwrap(), hands(folder.path()), stop.clone()));
    let say = |bytes: Vec<u8>| {
        let socket = folder.path().join(NAME);
        tokio::task::spawn_blocking(move || {
            let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
            // The other end may have hung up in the middle, which is the point.
            let _ = stream.write_all(&bytes);
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            answer
        })
    };
    assert!(
        say(b"{\"order\":\"reboot\"}\n".to_vec()).await.unwrap().contains("no order that this version understands")
    );
    assert_eq!(say(vec![b'x'; 1 << 20]).await.unwrap(), "");
    let answer = order(folder.path(), &Order::Shadow { slot: None }).await.unwrap();
    assert!(matches!(answer, Answer::Done(_)), "the next order is served");
    stop.cancel();
    serving.await.unwrap();
}
