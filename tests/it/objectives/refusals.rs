//! What cannot be meant is refused in one line.

use crate::support::Place;

#[test]
fn what_an_objective_does_not_have_is_refused() {
    let place = Place::new();
    place.file("broken.json", "{\"kind\": \"quadratic\",\n \"spektrum\": [1]}");
    place.file("type.json", "{\"kind\": \"uv\",\n\n \"width\": \"two\"}");
    place.file("none.json", "{\"spectrum\": [1]}");
    place.file("other.json", "{\"kind\": \"quadratik\"}");
    place.file(
        "formula.json",
        "{\"kind\": \"expression\", \"variables\": [\"x\"], \"formula\": \"x^2 + z\"}",
    );
    place.file(
        "ends.json",
        "{\"kind\": \"expression\", \"variables\": [\"x\"], \"formula\": \"2*(x+1\"}",
    );
    place.file(
        "still.json",
        "{\"kind\": \"expression\", \"variables\": [\"x\"], \"formula\": \"1+2\"}",
    );
    place.file("up.json", "{\"kind\": \"saddle\", \"spectrum\": [1, 2]}");
    place.file("model.json", "{\"kind\": \"objective\", \"objective\": {\"kind\": \"uv\"}}");
    let deep = format!("{}x{}", "(".repeat(5000), ")".repeat(5000));
    place.file(
        "deep.json",
        format!(r#"{{"kind": "expression", "variables": ["x"], "formula": "{deep}"}}"#),
    );
    for (words, says) in [
        ("--objective quadratik", "quadratic"),
        ("--objective expression", "give a file"),
        ("--objective uv --model mlp", "--model"),
        ("--objective uv --dataset moons", "--dataset"),
        ("--objective uv --loss ce", "--loss"),
        ("--objective uv --batch-size 10", "--batch-size"),
        ("--objective uv --samples 10", "--samples"),
        ("--objective uv --validation-size 0", "--validation-size"),
        ("--objective uv --start 1", "2 variables"),
        ("--objective uv --start 1,x", "number"),
        ("--objective uv --start -1,inf", "finite"),
        ("--objective uv --top 3", "--top"),
        ("--objective uv --measure class_slope", "class"),
        ("--start 1,2", "--objective"),
        ("--model @/model.json", "--objective"),
        (
            "--objective @/broken.json",
            "broken.json:2: unknown key `spektrum` (did you mean `spectrum`?)",
        ),
        ("--objective @/type.json", "type.json:3:"),
        ("--objective @/none.json", "kind"),
        ("--objective @/other.json", "did you mean `quadratic`"),
        ("--objective @/formula.json", "character 7: 'z' is not known"),
        ("--objective @/ends.json", "')' is missing"),
        ("--objective @/still.json", "no variable"),
        ("--objective @/deep.json", "characters"),
        ("--objective @/up.json", "no direction goes down"),
        ("--objective @/nothing.json", "nothing.json"),
    ] {
        let before = place.snapshot();
        let line = place.run(&format!("run --backend cpu {words}")).refusal();
        let line = line.unwrap_or_else(|wrong| panic!("{words}: {wrong}"));
        assert!(line.contains(says), "{words}: {line}");
        assert_eq!(place.snapshot(), before, "{words}");
    }
}
