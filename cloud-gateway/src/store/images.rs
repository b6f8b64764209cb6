//! What is known of each result's picture; its samples are in the object store.

use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::sites::{bound, within};
use super::{Connection, Store, StoreError, failed};
use crate::auth::sites::Sites;

/// One picture.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct ImageRow {
    /// The result it belongs to.
    pub result: String,
    /// The device it came from.
    pub device: String,
    /// The message it came in.
    pub message: String,
    /// When.
    pub stored_at: i64,
    /// Rows of the preview.
    pub image_rows: i64,
    /// Columns of the preview.
    pub image_columns: i64,
    /// value = sample + this.
    pub sample_offset: i64,
    /// 1 for MONOCHROME1.
    pub inverted: i64,
    /// [`crate::domain::image::Voi`] as JSON.
    pub voi: String,
    /// Rows of the saliency grid.
    pub saliency_rows: Option<i64>,
    /// Columns of the saliency grid.
    pub saliency_columns: Option<i64>,
    /// Stem of its names in the object store.
    pub object: String,
}

/// Inserts a picture; the first that comes for a result stays.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn insert(connection: &mut Connection, image: &ImageRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO images (result, device, message, stored_at, image_rows, image_columns, sample_offset, inverted,
             voi, saliency_rows, saliency_columns, object)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING",
    )
    .bind(image.result.clone())
    .bind(image.device.clone())
    .bind(image.message.clone())
    .bind(image.stored_at)
    .bind(image.image_rows)
    .bind(image.image_columns)
    .bind(image.sample_offset)
    .bind(image.inverted)
    .bind(image.voi.clone())
    .bind(image.saliency_rows)
    .bind(image.saliency_columns)
    .bind(image.object.clone())
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("insert an image"))
}

impl Store {
    /// The picture of a result, if both have come.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn image(&self, sites: &Sites, result: Uuid) -> Result<Option<ImageRow>, StoreError> {
        let text = format!(
            "SELECT images.* FROM images JOIN results ON results.id = images.result WHERE images.result = $1 AND {}",
            within(sites, "results.site", 2)
        );
        let mut query = sqlx::query_as(AssertSqlSafe(text)).bind(result.to_string());
        for site in bound(sites) {
            query = query.bind(site);
        }
        query.fetch_optional(&self.pool).await.map_err(failed("read an image"))
    }
}
