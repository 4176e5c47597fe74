//! The page of a demonstration.

use std::fmt::Write;

use super::bench::{Bench, Made, Role, View};
use super::{Check, Demo};
use crate::record::short;

pub(super) const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}\
table{border-collapse:collapse}td,th{padding:.2em .8em;border-bottom:1px solid #ccc;text-align:left}\
img{max-width:100%}pre{background:#f4f4f4;padding:.6em;overflow:auto}.no{color:#b00020;font-weight:bold}";

/// The HTML of it, which refers to pictures beside it.
pub(super) fn of(demo: &Demo, bench: &Bench) -> String {
    let title = escaped(demo.title);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n<p>{}</p>\n",
        escaped(demo.definition)
    );
    for (heading, role) in [
        ("Examples", Role::Example),
        ("Not examples", Role::NonExample),
        ("On networks", Role::Network),
    ] {
        let made: Vec<&Made> = bench.made().iter().filter(|made| made.role == role).collect();
        if !made.is_empty() {
            html += &format!("<h2>{heading}</h2>\n");
        }
        for made in made {
            html += &run(made);
            let own = |view: &&View| view.of.as_deref() == Some(&made.name);
            bench.views().iter().filter(own).for_each(|own| html += &view(own));
        }
    }
    let between: Vec<&View> = bench.views().iter().filter(|view| view.of.is_none()).collect();
    if !between.is_empty() {
        html += "<h2>Between the runs</h2>\n";
    }
    between.iter().for_each(|between| html += &view(between));
    html += &format!("<h2>What is checked</h2>\n<p>{}</p>\n", escaped(demo.derivation));
    html += &table(bench.checks());
    html += &format!(
        "<h2>In a run of your own</h2>\n<p>Log <code>{}</code>; the event is <code>{}</code>.</p>\n</body></html>\n",
        escaped(demo.column),
        escaped(demo.event)
    );
    html
}

fn run(made: &Made) -> String {
    let settings = serde_json::to_string(&made.settings).unwrap_or_default();
    let events = match made.events.is_empty() {
        true => "no events".to_string(),
        false => format!("events: {}", made.events.join(", ")),
    };
    let name = escaped(&made.name);
    let notes: String =
        made.notes.iter().map(|note| format!("<p>{}.</p>\n", escaped(note))).collect();
    format!(
        "<h3>{name}</h3>\n<p>{}</p>\n<pre>sharpscope run --config {name}.json\n{}</pre>\n\
         <p>{}.</p>\n{notes}<p><img src=\"{name}/sharpness.svg\" alt=\"loss and sharpness of {name}\"></p>\n",
        escaped(&made.what),
        escaped(&settings),
        escaped(&events)
    )
}

fn view(view: &View) -> String {
    let [folder, picture] = [&view.folder, &view.picture].map(|name| escaped(name));
    format!(
        "<p>{}</p>\n<pre>{}</pre>\n<p><img src=\"{folder}/{picture}\" alt=\"{folder}\"></p>\n",
        escaped(&view.what),
        escaped(&view.command)
    )
}

fn table(checks: &[Check]) -> String {
    let mut html = "<table><tr><th>on</th><th>number</th><th>theory</th><th>measured</th>\
                    <th>relative error</th><th>tolerance</th></tr>\n"
        .to_string();
    for check in checks {
        let class = if check.holds() { "" } else { " class=\"no\"" };
        let row = writeln!(
            html,
            "<tr{class}><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.1e}</td><td>{:.0e}</td></tr>",
            check.part,
            escaped(&check.what),
            short(check.theory),
            short(check.measured),
            check.error(),
            check.tolerance
        );
        debug_assert!(row.is_ok(), "text can be written to");
    }
    html + "</table>\n"
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
