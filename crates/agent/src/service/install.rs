//! `install` and `update`: registers the service, or brings its registration up to date, with everything that belongs to it.
//!
//! What can be found wrong is found before anything is changed. An older agent is stopped last and disabled only when ours is
//! registered; where that fails, it is put back.

use std::fs;
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use falcon_sys::types::{NewService, Registration, Settings, StartMode};

use super::command::Command;
use super::control::{self, stop_service};
use super::first::{First, first_config};
use super::old::{Kind, Old, SERVICES};
use super::place::{self, Place};
use super::replaced::Replaced;
use super::{DESCRIPTION, DISPLAY_NAME, Failure, NAME, Startup, Wanted, on_windows, told, told_of};
use crate::collect;
use crate::config::edit::Edited;
use crate::config::file::Staged;
use crate::config::{self, Loaded};
use crate::say::say;

/// After a failure; the last one for all that follow. Without one for a day the count begins anew.
const RESTARTS: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(300)];
const RESET_AFTER: Duration = Duration::from_secs(86_400);
/// The agent takes 5 s to store what is unsent.
const PRESHUTDOWN: Duration = Duration::from_secs(10);

/// Performance Monitor Users and Event Log Readers: without them a service account reads neither counters nor events.
const GROUPS: [&str; 2] = ["S-1-5-32-558", "S-1-5-32-573"];
/// Accounts of the system itself, which need no right and no group.
const SYSTEM_ACCOUNTS: [&str; 4] =
    ["LocalSystem", r"NT AUTHORITY\SYSTEM", r"NT AUTHORITY\LocalService", r"NT AUTHORITY\NetworkService"];
const SYSTEM: &str = "LocalSystem";
/// Of accounts that each service has by itself.
const VIRTUAL: &str = r"NT SERVICE\";
const VIRTUAL_ACCOUNT: &str = r"NT SERVICE\OpenFalconAgent";

/// What has our name now.
enum Now {
    Nothing,
    Ours(Registration, PathBuf),
    Older,
}

/// Registers the service; over a registration of this agent it is [`update`]. What the configuration is to say is put into one that
/// is made here; one that is there already is the administrator's.
pub fn install(file: Option<&Path>, wanted: &Wanted) -> Result<(), Failure> {
    register(file, wanted, true)?;
    if wanted.start
        && let Err(why) = control::start()
    {
        // It is registered, as it was asked for, and its log and the event log say more.
        say(&format!("{NAME} does not run yet: {why}"));
    }
    Ok(())
}

/// Brings the registration up to date with this program and these options; what is not given stays.
pub fn update(file: Option<&Path>, wanted: &Wanted) -> Result<(), Failure> {
    register(file, wanted, false)
}

fn register(file: Option<&Path>, wanted: &Wanted, new: bool) -> Result<(), Failure> {
    on_windows()?;
    if !falcon_sys::is_administrator()? {
        return Err(Failure::NotAdministrator);
    }
    let program = place::program()?;
    let mut older = Old::find()?;
    let now = what_is_there(&older)?;
    // What pywin32 may have left of it is no agent any more.
    older.retain(|old| old.kind != Kind::Python || matches!(now, Now::Older));
    if !new && matches!(now, Now::Nothing) {
        return Err(Failure::NotInstalled);
    }
    let config = match (file, &now) {
        (Some(file), _) => std::path::absolute(file)?,
        (None, Now::Ours(_, config)) => config.clone(),
        (None, _) => match &wanted.first_config {
            Some(file) => std::path::absolute(file)?,
            None => program.with_file_name("cfg.json"),
        },
    };
    let values = wanted.values.values().context("nothing was changed")?;
    let first = first_config(&config, &older, values)?;
    let loaded = match &first {
        Some(First { edited: Edited { config: parsed, warnings, .. }, .. }) => {
            warnings.iter().for_each(|warning| say(&warning.to_string()));
            Some(Loaded::new(parsed.clone(), config::Source::File(config.clone()), warnings.clone()))
        }
        None => {
            if !wanted.values.is_empty() {
                say(&format!(
                    "{} is there already and stays as it is: the values given are not written into it; `falcon-agent configure` \
                     does that",
                    config.display()
                ));
            }
            tell_whether_good(&config)
        }
    };
    let account = wanted.user.as_deref().map(whole_name);
    let password = if wanted.password_stdin { Some(read_password()?) } else { None };
    let account = match (account, &now) {
        (Some(account), _) if password.is_some() || has_no_password(&account) => Some(account),
        // Named again it stays as it is, with the password that Windows has.
        (Some(account), Now::Ours(registration, _)) if registration.account.eq_ignore_ascii_case(&account) => None,
        (Some(account), _) => {
            return Err(Failure::Failed(anyhow!(
                "nothing was changed: {account} has a password, which the service cannot start without: give it in one line on \
                 standard input, with --password-stdin"
            )));
        }
        (None, _) => None,
    };
    let before = match &now {
        Now::Ours(registration, _) => Some(registration.account.as_str()),
        Now::Nothing | Now::Older => None,
    };
    // The service's own SID too: it may have run as that before it was removed.
    let own = [VIRTUAL_ACCOUNT];
    let accounts = before.into_iter().chain(account.as_deref()).chain(own);
    let place = Place::new(program, config, loaded.as_ref()).run_as(accounts);
    place.check()?;

    // From here on things change.
    place.make_dirs()?;
    let replaced = older.iter().map(Replaced::of).collect::<Result<Vec<_>, _>>()?;
    Replaced::save(replaced.clone(), &place.state)?;
    if let Some(first) = &first {
        let written = Staged::new(&place.config, &first.edited.text).and_then(Staged::commit);
        written.with_context(|| place.config.display().to_string())?;
        say(&format!("wrote {}{}", place.config.display(), first.from));
    }
    let done = stop_all(&older).and_then(|()| put_down(&place, &now, wanted, account.as_deref(), password.as_deref()));
    if done.is_err() {
        // The next call may be given other values.
        if first.is_some() {
            let _ = fs::remove_file(&place.config);
        }
        for replaced in &replaced {
            if replaced.is_python()
                && let Err(error) = replaced.put_back()
            {
                say(&format!("{} could not be put back: {error:#}", replaced.describe()));
            }
            replaced.resume();
        }
    }
    done?;
    for old in older.iter().filter(|old| old.kind == Kind::Nssm) {
        told_of(falcon_sys::service_set_start(&old.service, StartMode::Disabled), &old.service).with_context(|| {
            format!("{NAME} is registered, but {} could not be disabled and starts at the next boot", old.describe())
        })?;
    }
    for old in &older {
        say(&format!("took over {}; `falcon-agent uninstall --restore` puts it back", old.describe()));
    }
    if new && matches!(now, Now::Nothing | Now::Older) {
        let next = if wanted.start { "" } else { "; `falcon-agent start` starts it" };
        say(&format!("{NAME} is registered{next}"));
    } else {
        say(&format!(
            "{NAME} is registered with {}; what runs goes on until `falcon-agent restart`",
            place.program.display()
        ));
    }
    Ok(())
}

fn stop_all(older: &[Old]) -> Result<(), Failure> {
    for old in older {
        if stop_service(&old.service)? {
            say(&format!("stopped {}", old.describe()));
        }
    }
    Ok(())
}

/// # Errors
/// The name is a stranger's.
fn what_is_there(older: &[Old]) -> Result<Now, Failure> {
    let Some(registration) = told(falcon_sys::service_registration(NAME), "the service cannot be looked at")? else {
        return Ok(Now::Nothing);
    };
    if let Some(config) = Command::parse(&registration.image_path).own_config() {
        return Ok(Now::Ours(registration, config));
    }
    if older.iter().any(|old| old.kind == Kind::Python) {
        return Ok(Now::Older);
    }
    Err(Failure::Failed(anyhow!(
        "there is a service {NAME} that is neither this agent nor the Python agent: {}. If nobody needs it, remove it with \
         `sc delete {NAME}`",
        registration.image_path
    )))
}

/// A configuration that is there and wrong keeps nothing from being registered: it is told here and again at the start.
fn tell_whether_good(config: &Path) -> Option<Loaded> {
    match config::load(Some(config), &collect::known()) {
        Ok(loaded) => {
            loaded.warnings.iter().for_each(|warning| say(&warning.to_string()));
            Some(loaded)
        }
        Err(error) => {
            say(&format!("the service will not start until this is put right: {error}"));
            None
        }
    }
}

/// Registers the service and sets what belongs to it.
fn put_down(
    place: &Place,
    now: &Now,
    wanted: &Wanted,
    account: Option<&str>,
    password: Option<&str>,
) -> Result<(), Failure> {
    let (start, delayed) = match (wanted.startup, now) {
        (Some(Startup::Auto), _) | (None, Now::Nothing | Now::Older) => (StartMode::Auto, false),
        (Some(Startup::Delayed), _) => (StartMode::Auto, true),
        (Some(Startup::Manual), _) => (StartMode::Manual, false),
        (None, Now::Ours(registration, _)) => (registration.start, registration.delayed),
    };
    // Windows wants an empty one for its own accounts, and none for virtual and managed ones.
    let password = password.or(account.filter(|account| is_systems(account)).map(|_| ""));
    let named = account.or(match now {
        Now::Ours(registration, _) => Some(registration.account.as_str()),
        Now::Nothing | Now::Older => Some(SYSTEM),
    });
    let image_path = Command::compose(&place.program, &place.config);
    let new = NewService {
        name: NAME,
        display_name: DISPLAY_NAME,
        image_path: &image_path,
        start,
        // An account that stays is not named again: Windows would want its password.
        account: if matches!(now, Now::Ours(..)) { account } else { named },
        password,
    };
    match now {
        Now::Nothing => {
            told(falcon_sys::service_create(&new), "the service cannot be registered")?;
            // Half of it would be a service whose files are open to others.
            return complete(place, delayed, named).inspect_err(|_| {
                let _ = falcon_sys::event_source_remove(NAME);
                let _ = falcon_sys::service_delete(NAME);
            });
        }
        Now::Ours(..) | Now::Older => told(falcon_sys::service_change(&new), "the service cannot be registered anew")?,
    }
    complete(place, delayed, named).inspect_err(|_| {
        // What was there is to start again. Its account has a password that only Windows has.
        if let Now::Ours(Registration { image_path, start, .. }, _) = now
            && let Err(error) = falcon_sys::service_change(&NewService {
                image_path,
                start: *start,
                account: None,
                password: None,
                ..new
            })
        {
            println!("{NAME} could not be registered again as it was: {error}");
        }
    })
}

/// What belongs to the service beside its registration.
fn complete(place: &Place, delayed: bool, named: Option<&str>) -> Result<(), Failure> {
    // Or the next look would take ours for the Python agent.
    let class = format!(r"{SERVICES}\{NAME}\PythonClass");
    told(falcon_sys::registry_delete_tree(&class), "what pywin32 left cannot be removed")?;
    let settings = Settings {
        description: DESCRIPTION,
        delayed,
        restarts: &RESTARTS,
        reset_after: RESET_AFTER,
        on_non_crash: true,
        own_sid: true,
        preshutdown: PRESHUTDOWN,
    };
    for (what, error) in falcon_sys::service_settle(NAME, &settings) {
        say(&format!("not set: {what}: {error}"));
    }
    if let Err(error) = falcon_sys::event_source_install(NAME, &place.program) {
        say(&format!("not set: the source of events: {error}"));
    }
    let own = named.filter(|account| !is_systems(account));
    if let Some(account) = own {
        enable_account(account);
    }
    let may = own.or(named.filter(|account| *account != SYSTEM && !account.ends_with(r"\SYSTEM")));
    // A virtual account has its SID before Windows knows its name.
    let sid = may.map(|account| falcon_sys::account_sid(account).unwrap_or_else(|_| account.to_owned()));
    for remark in place.protect(sid.as_deref())? {
        say(&remark);
    }
    Ok(())
}

/// The right to run as a service, and the two groups. What fails is told: it can be done by hand.
fn enable_account(account: &str) {
    // A virtual account may log on as a service by itself.
    if !is_virtual(account)
        && let Err(error) = falcon_sys::grant_service_logon(account)
    {
        say(&format!("not set: the right of {account} to log on as a service: {error}"));
    }
    match falcon_sys::account_sid(account) {
        Ok(sid) => {
            for group in GROUPS {
                if let Err(error) = falcon_sys::add_to_group(group, &sid) {
                    say(&format!("not set: {account} as a member of the group {group}: {error}"));
                }
            }
        }
        Err(error) => say(&format!("not set: the groups of {account}: {error}")),
    }
}

fn is_virtual(account: &str) -> bool {
    account.to_ascii_uppercase().starts_with(VIRTUAL)
}

/// The system's own, virtual and group-managed accounts.
fn has_no_password(account: &str) -> bool {
    is_systems(account) || is_virtual(account) || account.ends_with('$')
}

fn is_systems(account: &str) -> bool {
    SYSTEM_ACCOUNTS.iter().any(|known| known.eq_ignore_ascii_case(account))
}

/// As the service control manager wants it: an account of this host alone is `.\NAME`.
fn whole_name(name: &str) -> String {
    let known = [
        ("localservice", SYSTEM_ACCOUNTS[2]),
        ("networkservice", SYSTEM_ACCOUNTS[3]),
        ("system", SYSTEM),
        ("localsystem", SYSTEM),
    ];
    let lower = name.to_ascii_lowercase();
    match known.iter().find(|(short, _)| *short == lower) {
        Some((_, whole)) => (*whole).to_owned(),
        None if name.contains(['\\', '@']) => name.to_owned(),
        None => format!(r".\{name}"),
    }
}

/// One line of standard input.
fn read_password() -> anyhow::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("the password cannot be read from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_written_as_windows_wants_them() {
        for (given, whole) in [
            ("falcon", r".\falcon"),
            (r"NT SERVICE\OpenFalconAgent", r"NT SERVICE\OpenFalconAgent"),
            (r"CORP\falcon$", r"CORP\falcon$"),
            ("falcon@corp.example", "falcon@corp.example"),
            ("LocalService", r"NT AUTHORITY\LocalService"),
            ("LOCALSYSTEM", "LocalSystem"),
        ] {
            assert_eq!(whole_name(given), whole);
        }
        assert!(is_systems(r"nt authority\networkservice") && !is_systems(VIRTUAL_ACCOUNT));
        let without = [VIRTUAL_ACCOUNT, r"CORP\falcon$", "LocalSystem"];
        assert!(without.iter().all(|account| has_no_password(account)) && !has_no_password(r"CORP\falcon"));
    }
}
