//! What a person enters to let us in: the same for every broker.

use std::fmt;

/// The credentials of one key. `Debug` hides both secrets.
#[derive(Clone)]
pub struct Credentials {
    /// Name in the settings, for people.
    pub name: String,
    /// App key.
    pub app_key: String,
    /// App secret.
    pub app_secret: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_its_name_alone() {
        let (app_key, app_secret) = ("the-key".to_owned(), "the-secret".to_owned());
        let shown = format!("{:?}", Credentials { name: "main".to_owned(), app_key, app_secret });
        assert!(shown.contains("main") && !shown.contains("the-"), "{shown}");
    }
}
