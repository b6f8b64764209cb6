//! A reviewer's way into the gateway: the HTTP API with a session cookie, as a browser uses it.

use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::Agent;

/// Longest answer that is waited for.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Most items that the gateway gives at once.
const PAGE: usize = 200;

/// A session.
#[derive(Debug)]
pub struct Api {
    agent: Agent,
    base: String,
    csrf: String,
}

/// One line of the work list, as far as the lab looks at it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ResultSummary {
    /// The result's name.
    pub id: String,
    /// The device that read it.
    pub device: String,
    /// Stand-in for the study.
    pub study: String,
    /// Stand-in for the patient.
    pub patient: String,
    /// `read`, `abstained` or `unreadable`.
    pub outcome: String,
    /// `positive` or `negative`, where it was read.
    pub finding: Option<String>,
    /// Calibrated, 0 to 1.
    pub probability: Option<f64>,
    /// Why it was not read.
    pub reason: Option<Reason>,
    /// Whether the picture has come too.
    pub has_image: bool,
    /// Milliseconds per stage.
    pub stages_ms: Stages,
}

/// A code and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Reason {
    /// For machines.
    pub code: String,
    /// For people.
    pub words: String,
}

/// Milliseconds per stage on the device.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Stages {
    /// From the C-STORE command to the durable journal row.
    pub receive: f64,
    /// Decode, grey-scale, resize.
    pub decode: f64,
    /// Waiting for a batch.
    pub queue: f64,
    /// In the model.
    pub infer: f64,
    /// All of it.
    pub total: f64,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<ResultSummary>,
    next_cursor: Option<String>,
}

impl Api {
    /// Logs in.
    ///
    /// # Errors
    /// Where the gateway refuses or does not answer.
    pub fn log_in(base: &str, username: &str, password: &str) -> anyhow::Result<Self> {
        // A status of 400 and over is an answer like any other: its body says what is wrong.
        let config = Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
        // Whoever listens in on the line is to read what is said.
        let config = config.accept_encoding("identity").build();
        let mut api = Self { agent: config.into(), base: base.to_owned(), csrf: String::new() };
        let session = api.post("/api/v1/session", &json!({ "username": username, "password": password }))?;
        let csrf = session.get("csrf").and_then(Value::as_str).context("the gateway gave no csrf token at login")?;
        api.csrf = csrf.to_owned();
        Ok(api)
    }

    /// Asks for something.
    ///
    /// # Errors
    /// Where the answer is not a success of that shape; with the gateway's own words.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let asked = self.agent.get(format!("{}{path}", self.base)).call();
        let mut response = asked.with_context(|| format!("the gateway does not answer GET {path}"))?;
        let body = response.body_mut().with_config().limit(64 * 1024 * 1024).read_to_string();
        let body = body.with_context(|| format!("the answer to GET {path} broke off"))?;
        if !response.status().is_success() {
            bail!("GET {path}: {} {body}", response.status());
        }
        serde_json::from_str(&body).with_context(|| format!("the answer to GET {path} is of another shape"))
    }

    /// Sends something.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.base)).header("X-Hilum-Csrf", &self.csrf);
        let mut response =
            request.send_json(body).with_context(|| format!("the gateway does not answer POST {path}"))?;
        let answer = response.body_mut().read_to_string();
        let answer = answer.with_context(|| format!("the answer to POST {path} broke off"))?;
        if !response.status().is_success() {
            bail!("POST {path}: {} {answer}", response.status());
        }
        serde_json::from_str(&answer).with_context(|| format!("the answer to POST {path} is no JSON"))
    }

    /// The raw bytes of something and its status.
    ///
    /// # Errors
    /// Where there is no answer at all.
    pub fn bytes(&self, path: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        let asked = self.agent.get(format!("{}{path}", self.base)).call();
        let mut response = asked.with_context(|| format!("the gateway does not answer GET {path}"))?;
        let body = response.body_mut().with_config().limit(64 * 1024 * 1024).read_to_vec();
        Ok((response.status().as_u16(), body.with_context(|| format!("the answer to GET {path} broke off"))?))
    }

    /// Every result there is, page by page.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn results(&self) -> anyhow::Result<Vec<ResultSummary>> {
        let mut all = Vec::new();
        let mut next = String::new();
        loop {
            let page: Page = self.get(&format!("/api/v1/results?limit={PAGE}{next}"))?;
            all.extend(page.items);
            match page.next_cursor {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => return Ok(all),
            }
        }
    }
}

/// Whether a service says that it is ready. Anything but a 200 is a no.
#[must_use]
pub fn is_ready(port: u16) -> bool {
    health(port).is_ok_and(|(status, _)| status == 200)
}

/// What a service says about itself: status and body of `/health/ready`.
///
/// # Errors
/// Where it does not answer.
pub fn health(port: u16) -> anyhow::Result<(u16, String)> {
    text(&format!("http://127.0.0.1:{port}/health/ready"))
}

/// The text at an address, whatever its status.
///
/// # Errors
/// Where nobody answers.
pub fn text(address: &str) -> anyhow::Result<(u16, String)> {
    let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(5))).http_status_as_error(false);
    let agent: Agent = config.build().into();
    let mut response = agent.get(address).call().with_context(|| format!("{address} does not answer"))?;
    let body = response.body_mut().read_to_string().with_context(|| format!("the answer of {address} broke off"))?;
    Ok((response.status().as_u16(), body))
}
