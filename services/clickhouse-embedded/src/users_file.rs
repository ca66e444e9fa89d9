//! A users file of ClickHouse's server → the users of this one, with the same rights: `clickhouse/users.xml` as
//! `scripts/secrets init` fills it in. The grants go to the engine word by word; what else the file says (profiles,
//! quotas, networks) is the server's own.

use std::path::Path;

use process::ConfigError;
use roxmltree::{Document, Node};

use crate::user::{Password, Rights, User, plain};

/// Largest users file, bytes: one is a few kilobytes.
const MOST: usize = 1 << 20;

/// Reads the users of the file.
///
/// # Errors
/// [`ConfigError::Invalid`] with the file, the user, and what is missing or not understood.
pub fn read(path: &Path) -> Result<Vec<User>, ConfigError> {
    let invalid = |problem: String| {
        ConfigError::invalid("clickhouse_embedded.users_file", format!("{}: {problem}", path.display()))
    };
    let text = process::text_file::read(path, MOST)
        .map_err(|problem| ConfigError::invalid("clickhouse_embedded.users_file", problem))?;
    let document = Document::parse(&text).map_err(|error| invalid(error.to_string()))?;
    let users = child(document.root_element(), "users").ok_or_else(|| invalid("no <users>".to_owned()))?;
    let all = users.children().filter(Node::is_element);
    let left = all.filter(|node| node.attribute("remove").is_none());
    left.map(|node| user(node).map_err(&invalid)).collect()
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn user(node: Node<'_, '_>) -> Result<User, String> {
    let name = node.tag_name().name();
    let fail = |problem: &str| format!("user {name}: {problem}");
    if !plain(name, "_-") {
        return Err(fail("a user's name is 1 to 64 letters, digits, _ or -"));
    }
    let hash = child(node, "password_sha256_hex").and_then(|node| node.text()).unwrap_or_default().trim();
    if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(fail("no password_sha256_hex of 64 digits: `scripts/secrets init` writes it"));
    }
    let grants = child(node, "grants").ok_or_else(|| fail("no <grants>: it could do everything"))?;
    let queries = grants.children().filter(|child| child.has_tag_name("query"));
    let grants: Vec<String> =
        queries.filter_map(|query| query.text()).map(|text| text.trim().to_owned()).collect();
    // A grant is put into the engine's file as it is: nothing in it may end that.
    let strange = |grant: &String| !grant.starts_with("GRANT ") || grant.contains(['<', '&', ';']);
    if grants.is_empty() || grants.iter().any(strange) {
        return Err(fail("a grant is one GRANT, without `<`, `&` and `;`"));
    }
    let password = Password::Sha256(hash.to_ascii_lowercase());
    Ok(User { name: name.to_owned(), password, rights: Rights::Read, databases: Vec::new(), grants })
}

#[cfg(test)]
mod tests {
    use process::Secret;

    use super::*;

    /// SHA-256 of `secret`.
    const HASH: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    fn of(users: &str) -> Result<Vec<User>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.xml");
        std::fs::write(&path, format!("<clickhouse><users>{users}</users></clickhouse>")).unwrap();
        read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_users_rights_are_its_grants_and_its_password_a_hash() {
        let grant = "GRANT SELECT ON sise.*";
        let user = format!(
            "<default remove='remove'/><gap-finder><password_sha256_hex>{HASH}</password_sha256_hex>
             <grants><query>{grant}</query></grants></gap-finder>"
        );
        let users = of(&user).unwrap();
        assert_eq!((users.len(), users[0].name.as_str()), (1, "gap-finder"));
        assert_eq!(users[0].grants, [grant]);
        assert!(users[0].password.is(&Secret::new("secret")));
        assert!(!users[0].password.is(&Secret::new(HASH)) && !users[0].password.is(&Secret::default()));
        assert!(!users[0].password.is_empty());
    }

    #[test]
    fn what_is_not_safe_is_refused() {
        let with = |password: &str, grants: &str| of(&format!("<a>{password}{grants}</a>")).unwrap_err();
        let hash = format!("<password_sha256_hex>{HASH}</password_sha256_hex>");
        let grants = "<grants><query>GRANT SELECT ON sise.*</query></grants>";
        assert!(with("", grants).contains("user a: no password_sha256_hex"));
        assert!(
            with("<password_sha256_hex>@a@</password_sha256_hex>", grants).contains("password_sha256_hex")
        );
        assert!(with(&hash, "").contains("no <grants>"));
        assert!(with(&hash, "<grants><query>DROP TABLE x</query></grants>").contains("one GRANT"));
        assert!(
            with(&hash, "<grants><query>GRANT SELECT ON a.*; DROP</query></grants>").contains("one GRANT")
        );
        assert!(read(Path::new("/nonexistent")).is_err());
    }
}
