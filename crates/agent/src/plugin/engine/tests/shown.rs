//! `/plugins`, and what the log is told.

use super::*;
use serde_json::json;

/// A Go client reads each value as `{FilePath, MTime, Cycle, Args}`.
#[tokio::test(start_paused = true)]
async fn every_key_has_the_four_members_of_the_go_agent_and_why_it_runs_or_does_not() {
    let run: Brings = Arc::new(|plugin, _| match plugin.path.as_str() {
        "a/60_ok" => point(plugin),
        _ => {
            let stderr = "Traceback: password=hunter2".to_owned();
            Performed { stderr, ..performed(End::Exited(1), Err("not JSON: hunter2".to_owned())) }
        }
    });
    let rig = Rig::with(4, run);
    let left = Left { what: "b/0_z".to_owned(), why: "a cycle of 0 s is none".to_owned() };
    let plugins = vec![plugin("a/60_bad(x,y)", 60), plugin("a/60_ok", 60), plugin("a/90_new", 90)];
    *lock(&rig.world.scan) = Scan { plugins, left: vec![left], ..Scan::default() };
    rig.bind(&["a", "b/0_z", "a/60_bad(x,y)"]).await;
    rig.until(61).await;
    let shown = rig.json(true);
    let now_s = clock::unix_s();
    let next = |key: &str, after: i64| {
        assert!((now_s + after - 2..=now_s + after + 2).contains(&shown[key]["next_run"].as_i64().unwrap()), "{key}");
    };
    next("a/60_ok", 59);
    next("a/90_new", 29);
    let mut expected = json!({
        "FilePath": "a/60_ok", "MTime": 1000, "Cycle": 60, "Args": "", "state": "waiting",
        "reason": "bound; it runs every 60 s", "runs": 1, "failed": 0, "skipped": 0, "last_run": 1_700_000_000,
        "duration_ms": 1500, "end": "exited", "exit": 0, "items": 1, "invalid": {}, "small_steps": 0, "ahead": 0,
        "last_error": null, "stderr": null, "remark": null, "next_run": shown["a/60_ok"]["next_run"],
    });
    assert_eq!(shown["a/60_ok"], expected);
    for (member, value) in [
        ("FilePath", json!("a/60_bad")),
        ("Args", json!("x,y")),
        ("failed", json!(1)),
        ("exit", json!(1)),
        ("items", json!(0)),
        ("last_error", json!("not JSON: hunter2")),
        ("stderr", json!("Traceback: password=hunter2")),
    ] {
        expected[member] = value;
    }
    assert_eq!(shown["a/60_bad(x,y)"], expected);
    let (new, none) = (&shown["a/90_new"], &shown["b/0_z"]);
    assert_eq!((&new["last_run"], &new["exit"], &new["runs"]), (&json!(null), &json!(null), &json!(0)));
    let go = |shown: &serde_json::Value| ["FilePath", "MTime", "Cycle", "Args"].map(|member| shown[member].clone());
    assert_eq!(go(none), [json!(""), json!(0), json!(0), json!("")]);
    assert_eq!((&none["state"], &none["reason"]), (&json!("left"), &json!("a cycle of 0 s is none")));
    // What a program has said may be meant for nobody else.
    let public = rig.json(false);
    assert!(!public.to_string().contains("hunter2"), "{public}");
    assert_eq!(public["a/60_bad(x,y)"]["exit"], 1);
    assert!(public["a/60_bad(x,y)"]["stderr"].as_str().is_some_and(|text| text.contains("trusted")));
}

/// Go finds members without regard to case: `args` would have been taken for `Args`.
#[tokio::test(start_paused = true)]
async fn no_member_of_ours_is_one_of_the_go_agents_in_other_letters() {
    let rig = Rig::new(1);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    let shown = rig.json(true);
    let members: Vec<String> = shown["a/60_x"].as_object().unwrap().keys().map(|key| key.to_lowercase()).collect();
    assert_eq!(members.len(), members.iter().collect::<BTreeSet<_>>().len());
}

#[tokio::test(start_paused = true)]
async fn an_exit_code_with_a_text_on_standard_error_is_shown_and_the_points_are_sent() {
    let run: Brings = Arc::new(|plugin, _| Performed { end: End::Exited(2), ..point(plugin) });
    let rig = Rig::with(1, run);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.until(61).await;
    assert_eq!((rig.queue.items(), rig.stats.plugin_failed.get()), (1, 1));
    let shown = &rig.json(true)["a/60_x"];
    assert_eq!(shown["last_error"], "exit code 2, with a text on standard error; its points are sent");
}

#[tokio::test(start_paused = true)]
async fn an_exit_code_of_who_printed_nothing_is_shown_too() {
    let rig = Rig::with(1, Arc::new(|_, _| performed(End::Exited(2), Ok(None))));
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.until(61).await;
    assert_eq!(rig.json(true)["a/60_x"]["last_error"], "exit code 2, with a text on standard error");
}

#[tokio::test(start_paused = true)]
async fn runs_that_were_ended_at_their_deadline_are_counted() {
    let rig = Rig::with(1, Arc::new(|_, _| performed(End::Late, Err("still ran after 59.5 s".to_owned()))));
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.until(61).await;
    assert_eq!((rig.stats.plugin_late.get(), rig.stats.plugin_failed.get()), (1, 1));
    assert_eq!(rig.json(true)["a/60_x"]["end"], "late");
}

/// With a share that hung nothing was shown of what hbs had bound, as if it had bound nothing.
#[tokio::test(start_paused = true)]
async fn what_is_bound_and_not_looked_at_yet_is_shown_as_that() {
    let rig = Rig::new(1);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.world.hold_looks.store(true, SeqCst);
    rig.until(1).await;
    rig.bind(&["a", "b/60_y(1)"]).await;
    let shown = rig.json(true);
    assert_eq!(
        (&shown["b/60_y(1)"]["state"], &shown["b/60_y(1)"]["reason"]),
        (&"unknown".into(), &"not looked at yet".into())
    );
    assert_eq!((shown.as_object().unwrap().len(), &shown["a/60_x"]["state"]), (2, &"waiting".into()));
    rig.until(31).await;
    assert_eq!(rig.json(true)["b/60_y(1)"]["reason"], "plugin.dir does not answer since 30 s");
    rig.release().await;
    rig.files(&[plugin("a/60_x", 60), plugin("b/60_y(1)", 60)]);
    rig.world.hold_looks.store(false, SeqCst);
    rig.until(42).await;
    if rig.held() > 0 {
        rig.release().await;
    }
    rig.until(60).await;
    assert_eq!(rig.json(true)["b/60_y(1)"]["state"], "waiting");
}

/// It said that eight others ran where none did.
#[tokio::test(start_paused = true)]
async fn what_waits_for_a_run_of_its_own_name_says_so() {
    let rig = Rig::new(4);
    rig.files(&[plugin("a/60_x", 60)]);
    rig.bind(&["a"]).await;
    rig.hold();
    rig.until(61).await;
    rig.bind(&[]).await;
    rig.bind(&["a"]).await;
    rig.until(125).await;
    let shown = &rig.json(true)["a/60_x"];
    assert_eq!((&shown["state"], rig.began().len()), (&"due".into(), 0), "the first is held still");
    assert!(shown["reason"].as_str().unwrap().contains("before is not over"));
}
