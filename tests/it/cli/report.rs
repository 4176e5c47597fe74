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

#[test]
fn comparisons_and_results_of_the_runs_stand_on_their_page() {
    let place = Place::new();
    place.run_well(&small("--lr 0.01 --out a"));
    place.run_well(&small("--lr 0.02 --out b"));
    place.run_well(&small("--lr 0.02 --out other"));
    place.run_well("landscape interpolate a b --points 3 --top 1 --out landscapes/line");
    place.run_well("landscape slice other --dimensions 1 --points 3 --out elsewhere");
    let command = small("--lr 0.01,0.02 --out c").replacen("run", "compare", 1);
    place.run_well(&command);
    let page = |words: &str| {
        place.run_well(&format!("report {words} --out page.html --force"));
        read(place.made("page.html"))
    };
    let own = page("b");
    for part in ["landscape interpolate: a@3, b@3", "data:image", "interpolate.csv", "points 3"] {
        assert!(own.contains(part), "{part}");
    }
    // Of others it says nothing unless they are named, and of the file on disk nobody is asked.
    assert!(!page("other").contains("landscape interpolate:"));
    assert!(page("other elsewhere").contains("landscape slice: other@3"));
    let compared = page("c");
    for part in ["compare: c", "2 settings, 2 runs, ended", "2 completed", "summary.csv"] {
        assert!(compared.contains(part), "{part}");
    }
    assert_eq!(labels(&page("elsewhere")), [""; 0]);
    std::fs::write(place.made("landscapes/line/interpolate.csv"), "a,b\n1\n").unwrap();
    let refused = place.run("report landscapes/line --out new.html");
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("interpolate.csv:2"), "{}", refused.err);
    assert!(page("a").contains("interpolate.csv:2: not a table"));
}

#[test]
fn what_cannot_be_served_is_refused() {
    let place = Place::new();
    place.run_well(&small("--out r"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (line, parts) in [
        (format!("report r --serve --port {port}"), vec!["--port"]),
        ("report r --serve --host 203.0.113.1".to_string(), vec!["--host = 203.0.113.1"]),
        ("report nowhere --serve".to_string(), vec!["nowhere"]),
        ("report r --serve --out page.html".to_string(), vec!["--serve", "--out"]),
        ("report r --port 8000".to_string(), vec!["--serve"]),
    ] {
        let line = line.as_str();
        let refused = place.run(line);
        assert_eq!(refused.code, Some(2), "{line}: {}", refused.err);
        for part in parts {
            assert!(refused.err.contains(part), "{line}: {}", refused.err);
        }
    }
}
