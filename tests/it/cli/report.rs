//! The report page without a browser: what is in it, what is refused. `tests/browser` opens it.

use super::*;

/// The numbers that the page's script draws.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).expect("JSON")
}

fn labels(page: &str) -> Vec<String> {
    let runs = data(page)["runs"].as_array().unwrap().clone();
    runs.iter().map(|run| run["label"].as_str().unwrap().to_string()).collect()
}

#[test]
fn a_page_stands_by_itself_and_is_not_replaced_unasked() {
    let place = Place::new();
    place.run_well(&small("--steps 4 --checkpoint-every 2 --out r --name <b>bold"));
    let before = place.snapshot();
    place.run_well("report r r@2 --out page.html");
    let page = read(place.made("page.html"));
    assert_eq!(labels(&page), ["<b>bold", "<b>bold to step 2"]);
    let steps: Vec<Value> =
        data(&page)["runs"].as_array().unwrap().iter().map(|run| run["steps"].clone()).collect();
    assert_eq!(steps, [json!(4), json!(2)]);
    // What a user named is text and no markup, and nothing is fetched.
    assert!(!page.contains("<b>bold"));
    assert!(page.contains("&lt;b&gt;bold") && !page.contains("src=\"http"));
    let refused = place.run("report r --out page.html");
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("page.html") && refused.err.contains("--force"));
    assert_eq!(read(place.made("page.html")), page);
    place.run_well("report r --out page.html --force --title Mine --doctor");
    let page = read(place.made("page.html"));
    assert!(page.contains("<title>Mine</title>") && page.contains("double precision"));
    std::fs::remove_file(place.made("page.html")).unwrap();
    assert_eq!(place.snapshot(), before);
}

#[test]
fn a_comparison_is_all_of_its_runs() {
    let place = Place::new();
    place.run_well(&small("--out other").replace("run", "run --name other"));
    let command = small("--optimizer sgd,sam --seeds 2 --out c");
    place.run_well(&command.replacen("run", "compare", 1));
    place.run_well("report c other --out page.html");
    let labels = labels(&read(place.made("page.html")));
    assert_eq!(labels.len(), 5);
    assert!(labels[1].ends_with(", seed 1") && labels[4] == "other", "{labels:?}");
}

#[test]
fn what_is_no_run_or_is_named_twice_is_refused() {
    let place = Place::new();
    place.run_well(&small("--out r"));
    std::fs::create_dir(place.made("empty")).unwrap();
    for (line, parts) in [
        ("report r r", vec!["RUN = r", "twice"]),
        ("report r@7", vec!["7", "no checkpoint"]),
        ("report empty", vec!["empty", "steps.csv"]),
        ("report", vec!["RUN"]),
    ] {
        let refused = place.run(line);
        assert_eq!(refused.code, Some(2), "{line}: {}", refused.err);
        for part in parts {
            assert!(refused.err.contains(part), "{line}: {}", refused.err);
        }
    }
    assert!(!place.made("report.html").exists());
    let refused = place.run("report r --out nowhere/page.html");
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("nowhere"), "{}", refused.err);
}
