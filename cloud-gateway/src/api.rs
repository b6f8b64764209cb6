//! The HTTP side: the API under `/api/v1`, its description, and the dashboard's files. It decides nothing about results;
//! it asks `auth` who may, `store` what is, and answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;
use tokio::sync::Semaphore;
use tower_http::compression::CompressionLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::{AuthConfig, HttpConfig, ReviewConfig};
use crate::enrolment::invitation::Door;
use crate::identity::LiveKeys;
use crate::live::Live;
use crate::objects::Objects;
use crate::replicas::Replicas;
use crate::store::Store;

pub mod account;
pub mod accounts;
pub mod address;
pub mod api_keys;
pub mod audit;
pub mod claims;
pub mod cross_origin;
pub mod cursor;
pub mod dashboard;
pub mod dead_letters;
pub mod devices;
pub mod docs;
pub mod etag;
pub mod events;
pub mod export;
pub mod extract;
pub mod fhir;
pub mod filters;
pub mod guard;
pub mod headers;
pub mod idempotency;
pub mod images;
pub mod limit;
pub mod problem;
pub mod proof;
pub mod qr;
pub mod quality;
pub mod results;
pub mod second_readings;
pub mod session;
pub mod shadow;
pub mod verdicts;
pub mod view;

use problem::Problem;

/// Largest request body: a verdict's note of 2,000 characters of 4 bytes, escaped, with room to spare.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Longest time to answer: over the slowest honest query, under a proxy's usual 60 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Passwords checked at the same time; each takes 19 MiB and most of a core for some 20 ms.
const HASHERS: usize = 2;

/// What the configuration says of the API.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[http]`.
    pub http: HttpConfig,
    /// `[auth]`.
    pub auth: AuthConfig,
    /// `[review]`.
    pub review: ReviewConfig,
    /// Where devices enrol, if they can: of `[est]`.
    pub door: Option<Door>,
}

/// What every request may need.
pub struct Api {
    /// The database.
    pub store: Store,
    /// The images.
    pub objects: Objects,
    /// The keys that second factors are sealed to.
    pub keys: Arc<LiveKeys>,
    /// What accounts must have.
    pub auth: AuthConfig,
    /// Where devices enrol, if they can.
    pub door: Option<Door>,
    /// What is counted for each address.
    pub replicas: Replicas,
    /// What just changed.
    pub live: Arc<Live>,
    /// The dashboard's built files.
    pub dashboard_dir: PathBuf,
    /// Whether browsers come by HTTPS, so that the cookie must not leave it.
    pub secure: bool,
    /// Other origins whose pages may ask, as browsers name them.
    pub allowed_origins: Vec<String>,
    /// Share of results that are read twice.
    pub second_read_share: f64,
    /// Whose word about others' addresses is believed.
    pub trusted_proxies: Vec<IpNet>,
    hashers: Semaphore,
    seats: Arc<Semaphore>,
}

impl Api {
    /// Sets it up.
    #[must_use]
    pub fn new(
        store: Store,
        objects: Objects,
        replicas: Replicas,
        live: Arc<Live>,
        keys: Arc<LiveKeys>,
        settings: Settings,
    ) -> Arc<Self> {
        let Settings { http, auth, review, door } = settings;
        let secure = http.public_url.is_some_and(|url| url.starts_with("https://"));
        let (dashboard_dir, trusted_proxies, allowed_origins) =
            (http.dashboard_dir, http.trusted_proxies, http.allowed_origins);
        let (hashers, seats) = (Semaphore::new(HASHERS), Arc::new(Semaphore::new(events::MAX_STREAMS)));
        Arc::new(Self {
            store,
            objects,
            keys,
            auth,
            door,
            replicas,
            live,
            dashboard_dir,
            secure,
            allowed_origins,
            second_read_share: review.second_read_share,
            trusted_proxies,
            hashers,
            seats,
        })
    }
}

/// Everything but `/health` and `/metrics`.
pub fn router(api: &Arc<Api>) -> Router {
    let (routes, document) = documented().split_for_parts();
    let guarded = routes
        .route_layer(middleware::from_fn(etag::tag))
        .route_layer(middleware::from_fn_with_state(api.clone(), guard::guard))
        .with_state(api.clone());
    Router::new()
        .merge(guarded)
        .merge(docs::router(document))
        .fallback(dashboard::serve)
        .with_state(api.clone())
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(middleware::from_fn(in_time))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(api.clone(), limit::limit))
        .layer(cross_origin::layer(&api.allowed_origins))
        .layer(CompressionLayer::new().gzip(true))
        .layer(middleware::from_fn_with_state(api.clone(), headers::secure))
        .layer(middleware::from_fn(vitals::metrics::record_http))
}

/// The API's routes with their descriptions; [`guard`] has a line for each.
pub fn documented() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(docs::preface())
        .routes(routes!(session::open, session::current, session::close))
        .routes(routes!(account::change_password))
        .routes(routes!(account::second_factor, account::begin))
        .routes(routes!(account::confirm))
        .routes(routes!(account::remove))
        .routes(routes!(accounts::list, accounts::add))
        .routes(routes!(accounts::change))
        .routes(routes!(accounts::set_password))
        .routes(routes!(accounts::reset_second_factor))
        .routes(routes!(api_keys::list, api_keys::make))
        .routes(routes!(api_keys::revoke))
        .routes(routes!(results::list))
        .routes(routes!(results::one))
        .routes(routes!(images::image))
        .routes(routes!(images::voi_lut))
        .routes(routes!(images::saliency))
        .routes(routes!(verdicts::give))
        .routes(routes!(verdicts::withdraw))
        .routes(routes!(verdicts::codes))
        .routes(routes!(second_readings::ask))
        .routes(routes!(export::verdicts))
        .routes(routes!(fhir::diagnostic_report))
        .routes(routes!(fhir::observation))
        .routes(routes!(fhir::imaging_study))
        .routes(routes!(second_readings::agreement))
        .routes(routes!(filters::list, filters::save))
        .routes(routes!(filters::remove))
        .routes(routes!(filters::turnaround))
        .routes(routes!(audit::list))
        .routes(routes!(devices::list))
        .routes(routes!(claims::make))
        .routes(routes!(shadow::list))
        .routes(routes!(events::stream))
        .routes(routes!(dead_letters::list))
        .routes(routes!(quality::drift))
        .routes(routes!(quality::accuracy))
        .routes(routes!(quality::fairness))
        .routes(routes!(quality::flow))
        .routes(routes!(quality::studies))
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::late().into_response(),
    }
}
