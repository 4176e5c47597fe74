//! `sharpscope demo`.

use serde_json::{Value, json};

use super::args::DemoArgs;
use super::logging::Terminal;
use crate::experiment::demo::{Check, DEMOS, Demo, Gallery};
use crate::record::short;

/// Shows them, and prints the table of each; returns the exit code, 1 where a measured number is not that of theory.
pub(super) fn demo(args: &DemoArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    if args.list && args.json {
        let of = |demo: &Demo| json!({ "name": demo.name, "title": demo.title });
        terminal.json(&DEMOS.iter().map(of).collect::<Vec<_>>())?;
        return Ok(0);
    }
    if args.list {
        for demo in DEMOS {
            terminal.output(&format!("{:18} {}\n", demo.name, demo.title));
        }
        return Ok(0);
    }
    let all = args.names.iter().any(|name| name == "all");
    let demos: Vec<&Demo> = match all {
        true => DEMOS.iter().collect(),
        false => args.names.iter().map(|name| Demo::named(name)).collect::<Result<_, _>>()?,
    };
    let gallery = (demos.len() > 1).then(|| Gallery::of(&args.out)).transpose()?;
    let (mut wrong, mut printed) = (0, Vec::new());
    for demo in demos {
        let folder = args.out.join(demo.name);
        let shown = demo.show(Some(&folder), args.force, args.quick)?;
        wrong += shown.checks.iter().filter(|check| !check.holds()).count();
        if args.json {
            let checks: Vec<Value> = shown.checks.iter().map(as_json).collect();
            printed.push(json!({ "name": demo.name, "page": shown.page, "checks": checks }));
            continue;
        }
        terminal.result(demo.title);
        terminal.result(&format!(
            "  {:12} {:68} {:>12} {:>12} {:>9} {:>9}",
            "on", "", "theory", "measured", "error", "tolerance"
        ));
        shown.checks.iter().for_each(|check| terminal.result(&line(check)));
        terminal.result(&format!("  written {}", shown.page.display()));
    }
    let gallery = gallery.map(Gallery::write).transpose()?;
    if args.json {
        terminal.json(&printed)?;
        return Ok(u8::from(wrong > 0));
    }
    if wrong > 0 {
        terminal.result(&format!("{wrong} numbers are not those of theory"));
    }
    if let Some(page) = gallery {
        terminal.result(&format!("written {}", page.display()));
    }
    Ok(u8::from(wrong > 0))
}

fn as_json(check: &Check) -> Value {
    json!({
        "part": check.part, "what": check.what, "theory": check.theory,
        "measured": check.measured, "error": check.error(), "tolerance": check.tolerance,
        "holds": check.holds()
    })
}

fn line(check: &Check) -> String {
    format!(
        "{} {:12} {:68} {:>12} {:>12} {:>9.1e} {:>9.0e}",
        if check.holds() { " " } else { "!" },
        check.part.to_string(),
        check.what,
        short(check.theory),
        short(check.measured),
        check.error(),
        check.tolerance
    )
}
