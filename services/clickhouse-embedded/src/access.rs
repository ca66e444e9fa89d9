//! The engine's own access control: our users in, ClickHouse's role and profile files out.
//!
//! libchdb runs every connection as the user `default`; it can neither log in nor impersonate another one. What it can
//! do is roles. So `default` owns nothing itself and is granted one role for each of our users, and each connection
//! begins with `SET ROLE` of the user who asks: from then on the engine itself checks every table and every table
//! function, as ClickHouse's server does. The way back, another `SET ROLE`, is refused by `engine.rs`. No role holds
//! `FILE`, `URL` or any other source, since file paths are not confined in libchdb; table engines that reach files are
//! refused by `engine.rs`, because grants on engines are not checked here.
//!
//! Passwords stay in this process; the files written here hold none.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::config::Settings;
use crate::user::{Rights, User};

/// The role of a user.
#[must_use]
pub fn role(user: &User) -> String {
    match user.rights {
        Rights::All => "owner".to_owned(),
        Rights::Read | Rights::Insert => format!("user_{}", user.name),
    }
}

/// What `owner` may do. Not: shut down, files, networks, users, backups to a path.
const OWNER: [&str; 3] = [
    "GRANT CHECK, SHOW, SELECT, INSERT, ALTER, CREATE, DROP, UNDROP TABLE, TRUNCATE, OPTIMIZE, KILL QUERY, dictGet, \
     MOVE PARTITION BETWEEN SHARDS, SYSTEM MERGES, SYSTEM TTL MERGES, SYSTEM FLUSH, SYSTEM DROP CACHE, SYSTEM VIEWS, \
     SYSTEM RELOAD ON *.*",
    "GRANT TABLE ENGINE ON *",
    "GRANT SET DEFINER ON *",
];

fn grants(user: &User) -> Vec<String> {
    if !user.grants.is_empty() {
        return user.grants.clone();
    }
    let rights = match user.rights {
        Rights::All => return Vec::new(),
        Rights::Insert => "SELECT, SHOW, CHECK, dictGet, INSERT",
        Rights::Read => "SELECT, SHOW, CHECK, dictGet",
    };
    let grant = |place: &str| format!("GRANT {rights} ON {place}");
    if user.databases.is_empty() {
        return vec![grant("*.*")];
    }
    user.databases.iter().map(|database| grant(&format!("{database}.*"))).collect()
}

fn users_xml(users: &[User]) -> String {
    let mut roles = String::new();
    let mut granted = String::from("<query>GRANT owner</query>");
    let mut add = |name: &str, grants: &[String]| {
        let queries: String = grants.iter().map(|grant| format!("<query>{grant}</query>")).collect();
        let _infallible = writeln!(roles, "    <{name}><grants>{queries}</grants></{name}>");
    };
    add("owner", &OWNER.map(str::to_owned));
    for user in users.iter().filter(|user| user.rights != Rights::All) {
        add(&role(user), &grants(user));
        let _infallible = write!(granted, "<query>GRANT `{}`</query>", role(user));
    }
    format!(
        "<clickhouse>\n\
         \x20 <!-- written at every start from [clickhouse_embedded]; async_insert is off because an insert is\n\
         \x20      confirmed to its sender only when it is on disk -->\n\
         \x20 <profiles><default>\n\
         \x20   <async_insert>0</async_insert>\n\
         \x20   <implicit_select>0</implicit_select>\n\
         \x20   <constraints><dialect><const/></dialect><implicit_select><const/></implicit_select></constraints>\n\
         \x20 </default></profiles>\n\
         \x20 <roles>\n{roles}  </roles>\n\
         \x20 <users><default>\n\
         \x20   <password></password><networks><ip>::/0</ip></networks>\n\
         \x20   <profile>default</profile><quota>default</quota>\n\
         \x20   <grants>{granted}</grants>\n\
         \x20 </default></users>\n\
         \x20 <quotas><default></default></quotas>\n\
         </clickhouse>\n"
    )
}

/// Writes the engine's configuration into `folder`; returns the path of the main file.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(folder: &Path, settings: &Settings) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let users = folder.join("users.xml");
    std::fs::write(&users, users_xml(&settings.users))?;
    let memory = match settings.max_memory_bytes {
        0 => String::new(),
        bytes => format!("  <max_server_memory_usage>{bytes}</max_server_memory_usage>\n"),
    };
    let main = folder.join("config.xml");
    let users = users.display();
    std::fs::write(
        &main,
        format!("<clickhouse>\n  <users_config>{users}</users_config>\n{memory}</clickhouse>\n"),
    )?;
    Ok(main)
}

#[cfg(test)]
mod tests {
    use process::Secret;

    use super::*;

    fn user(name: &str, rights: Rights, databases: &[&str]) -> User {
        let databases = databases.iter().map(|name| (*name).to_owned()).collect();
        User {
            name: name.to_owned(),
            password: Secret::new("hunter2").into(),
            rights,
            databases,
            grants: Vec::new(),
        }
    }

    #[test]
    fn each_user_is_a_role_and_no_password_is_written() {
        let users = [
            user("archiver", Rights::Insert, &["sise", "sise_demo"]),
            user("analyst", Rights::Read, &[]),
            user("root", Rights::All, &[]),
        ];
        let xml = users_xml(&users);
        let archiver = "<user_archiver><grants>\
            <query>GRANT SELECT, SHOW, CHECK, dictGet, INSERT ON sise.*</query>\
            <query>GRANT SELECT, SHOW, CHECK, dictGet, INSERT ON sise_demo.*</query></grants></user_archiver>";
        assert!(xml.contains(archiver), "{xml}");
        assert!(xml.contains("<query>GRANT SELECT, SHOW, CHECK, dictGet ON *.*</query>"), "{xml}");
        assert!(xml.contains("<query>GRANT owner</query><query>GRANT `user_archiver`</query>"), "{xml}");
        assert!(!xml.contains("hunter2") && !xml.contains("user_root"), "{xml}");
    }

    #[test]
    fn nobody_gets_files_or_networks() {
        let xml = users_xml(&[user("root", Rights::All, &[])]);
        for source in ["FILE", "URL", "SOURCES", "GRANT ALL", "SHUTDOWN", "BACKUP"] {
            assert!(!xml.contains(source), "{source}");
        }
    }
}
