//! Which account was granted which sites, and how a query is narrowed to them. What it says of a person's sites goes into
//! every query that reads clinical rows or devices; a row of another site is not found.

use std::fmt::Write;

use super::{Connection, Store, StoreError, failed};
use crate::auth::sites::Sites;

/// The condition that `column` is one of the sites, whose names are bound as the parameters from `$first` on.
#[must_use]
pub fn within(sites: &Sites, column: &str, first: usize) -> String {
    let Some(names) = sites.names() else { return "1 = 1".to_owned() };
    if names.is_empty() {
        return "1 = 0".to_owned();
    }
    let mut text = format!("{column} IN (");
    for place in first..first + names.len() {
        let comma = if place > first { ", " } else { "" };
        // Writing into a text cannot fail.
        let _ = write!(text, "{comma}${place}");
    }
    text.push(')');
    text
}

/// The names that [`within`] leaves room for, in its order.
pub fn bound(sites: &Sites) -> impl Iterator<Item = String> {
    sites.names().into_iter().flatten().cloned()
}

/// Grants a site, or [`crate::auth::sites::EVERY`]; false where it was granted already.
///
/// # Errors
/// [`StoreError::Query`]; also where there is no such account.
pub async fn grant(connection: &mut Connection, username: &str, site: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("INSERT INTO user_sites (username, site) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(username.to_owned())
        .bind(site.to_owned())
        .execute(connection)
        .await
        .map_err(failed("grant a site"))?;
    Ok(done.rows_affected() == 1)
}

/// Takes a site back; false where it was not granted.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn withdraw(connection: &mut Connection, username: &str, site: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM user_sites WHERE username = $1 AND site = $2")
        .bind(username.to_owned())
        .bind(site.to_owned())
        .execute(connection)
        .await
        .map_err(failed("take a site back"))?;
    Ok(done.rows_affected() == 1)
}

impl Store {
    /// What this account was granted.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn sites(&self, username: &str) -> Result<Sites, StoreError> {
        let rows: Vec<(String,)> = sqlx::query_as("SELECT site FROM user_sites WHERE username = $1")
            .bind(username.to_owned())
            .fetch_all(&self.pool)
            .await
            .map_err(failed("read an account's sites"))?;
        Ok(Sites::granted(rows.into_iter().map(|(site,)| site)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_condition_has_a_place_for_each_name() {
        let sites = |names: &[&str]| Sites::granted(names.iter().map(|name| (*name).to_owned()));
        assert_eq!(within(&Sites::All, "site", 5), "1 = 1");
        assert_eq!(within(&sites(&[]), "site", 5), "1 = 0");
        assert_eq!(within(&sites(&["b", "a"]), "results.site", 5), "results.site IN ($5, $6)");
        assert_eq!(bound(&sites(&["b", "a"])).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(bound(&Sites::All).count(), 0);
    }
}
