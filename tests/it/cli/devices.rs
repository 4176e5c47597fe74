//! Which devices are listed, which one `auto` takes, and what is said where there is none.

use super::*;

/// The program with this machine's graphics drivers, and a folder that Mesa's layers look for.
fn seeing_drivers(place: &Place) -> assert_cmd::Command {
    let mut program = place.program_seeing_drivers();
    program.env("XDG_RUNTIME_DIR", place.files.path());
    program
}

fn listed(program: &mut assert_cmd::Command) -> Value {
    let done = Done::of(program.args(["devices", "--json"]));
    assert_eq!(done.code, Some(0), "{}", done.err);
    serde_json::from_str(&done.out).unwrap()
}

#[test]
fn devices_lists_adapters_and_what_auto_takes() {
    let place = Place::new();
    let list = listed(&mut seeing_drivers(&place));
    let gpus = ["discrete_gpu", "integrated_gpu", "virtual_gpu"];
    let adapters = list["adapters"].as_array().unwrap();
    for adapter in adapters {
        assert!(!adapter["name"].as_str().unwrap().is_empty());
        assert!(!adapter["api"].as_str().unwrap().is_empty());
        assert!(adapter["max_buffer_bytes"].as_u64().unwrap() > 0);
    }
    let gpu = adapters.iter().find(|adapter| gpus.iter().any(|kind| adapter["kind"] == *kind));
    match gpu {
        Some(gpu) if list["auto"]["backend"] == "wgpu" => {
            assert_eq!(list["auto"]["adapter"], gpu["name"]);
        }
        _ => assert_eq!(list["auto"]["backend"], "cpu"),
    }
    let text = Done::of(seeing_drivers(&place).arg("devices"));
    assert_eq!(text.code, Some(0));
    for adapter in adapters {
        assert!(text.out.contains(adapter["name"].as_str().unwrap()), "{}", text.out);
    }
    let auto = format!("auto takes: {}", list["auto"]["backend"].as_str().unwrap());
    assert!(text.out.contains(&auto), "{}", text.out);
    assert!(names_in(place.cwd.path()).is_empty());
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_driver_the_list_is_empty_and_auto_takes_the_cpu() {
    let place = Place::new();
    let list = listed(&mut place.program());
    assert_eq!(list["adapters"], json!([]));
    assert_eq!(list["auto"]["backend"], "cpu");
    let done = place.run_well("devices");
    assert!(done.out.contains("no wgpu adapters"), "{}", done.out);
    assert_eq!(done.err, "");
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_driver_auto_runs_on_the_cpu_and_says_so_and_wgpu_is_refused() {
    let place = Place::new();
    let done = place.run_well(&small("--out r").replace("cpu", "auto"));
    assert!(done.err.contains("running on the CPU"), "{}", done.err);
    let (_, _, manifest) = check_end(place.made("r"), "completed", 0);
    assert_eq!(manifest["backend"], "cpu");
    assert_eq!(manifest["config"]["backend"], "auto");

    for flags in ["--precision f32 --out new", "--precision f64 --out new"] {
        let line = place.run(&small(flags).replace("cpu", "wgpu")).refusal().unwrap();
        assert!(line.contains("--backend wgpu") && line.contains("--backend cpu"), "{line}");
    }
    assert_eq!(names_in(place.cwd.path()), ["r"]);
}

#[test]
fn double_precision_on_a_gpu_is_refused() {
    let place = Place::new();
    let mut program = seeing_drivers(&place);
    program.args(place.arguments("run --backend wgpu --precision f64 --out new"));
    let line = Done::of(&mut program).refusal().unwrap();
    assert!(line.contains("--backend cpu"), "{line}");
    let none = listed(&mut seeing_drivers(&place))["adapters"] == json!([]);
    assert!(none || (line.contains("--precision f64") && line.contains("f32")), "{line}");
    assert!(names_in(place.cwd.path()).is_empty());
}

/// Mesa's layers complain on standard error where there is no desktop session.
#[test]
fn drivers_do_not_write_between_the_lines() {
    let place = Place::new();
    let mut program = seeing_drivers(&place);
    let words = small("--quiet").replace("cpu", "auto");
    program.env_remove("XDG_RUNTIME_DIR").args(place.arguments(&words));
    let done = Done::of(&mut program);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
}
