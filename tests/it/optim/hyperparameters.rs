//! Which hyperparameters an optimizer takes, and which values.

use sharpscope::Error;
use sharpscope::optim::{Base, ENTRIES, Entry, Hyperparameters, NUMBERS, OptimizerSpec};

use super::{NONE, ascending, momentum};

/// The message of the error, which must blame the field.
#[track_caller]
fn refused(name: &str, given: Hyperparameters, field: &str) -> String {
    let error = OptimizerSpec::resolve(name, given).expect_err("it was taken");
    assert!(matches!(&error, Error::Setting { key, .. } if key == field), "{error:?}");
    error.to_string()
}

#[test]
fn an_unknown_optimizer_is_named_with_its_nearest() {
    let error = OptimizerSpec::resolve("adma", NONE).unwrap_err();
    assert!(matches!(error, Error::UnknownName { .. }));
    let message = error.to_string();
    assert!(message.contains("did you mean 'adam'?"), "{message}");
    for entry in ENTRIES {
        assert!(message.contains(entry.name), "{message} lacks {}", entry.name);
        assert_eq!(Entry::find(entry.name).unwrap().name, entry.name);
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    let taker = |name: &str| match name {
        "momentum" => "momentum",
        "rho" => "sam",
        "beta3" | "alpha" => "ademamix",
        "nu" => "qhm",
        "refresh" => "soap",
        _ => "adam",
    };
    let with = |name: &str, value: f64| {
        let number = NUMBERS.iter().find(|number| number.name == name).expect("a number");
        NONE.with(number, Some(value))
    };
    let outside = [
        ("momentum", [-0.1, 1.0]),
        ("beta1", [-0.1, 1.0]),
        ("beta2", [-0.1, 1.0]),
        ("beta3", [-0.1, 1.0]),
        ("alpha", [-1e-9, -1.0]),
        ("nu", [-0.1, 1.1]),
        ("refresh", [0.0, 1.5]),
        ("eps", [0.0, -1e-8]),
        ("rho", [-1e-9, -1.0]),
        ("weight_decay", [-1e-9, -1.0]),
    ];
    for (name, values) in outside {
        for value in values.into_iter().chain([f64::NAN, f64::INFINITY, f64::NEG_INFINITY]) {
            let message = refused(taker(name), with(name, value), name);
            assert!(message.contains(&format!("{name} = {value:?}: ")), "{message}");
        }
    }
    // The ends that belong to the range.
    let inside = [
        ("momentum", [0.0, 0.999]),
        ("beta1", [0.0, 0.999]),
        ("beta2", [0.0, 0.999]),
        ("beta3", [0.0, 0.9999]),
        ("alpha", [0.0, 10.0]),
        ("nu", [0.0, 1.0]),
        ("refresh", [1.0, 100.0]),
        ("eps", [1e-300, 1.0]),
        ("rho", [0.0, 10.0]),
        ("weight_decay", [0.0, 10.0]),
    ];
    assert_eq!(inside.map(|(name, _)| name).to_vec(), names(), "each number is tested");
    for (name, values) in inside {
        for value in values {
            let spec = OptimizerSpec::resolve(taker(name), with(name, value)).unwrap();
            let mut numbers = spec.hyperparameters.numbers();
            let found = numbers.find(|(number, _)| number.name == name);
            assert_eq!(found.map(|(_, value)| value), Some(Some(value)));
        }
    }
}

fn names() -> Vec<&'static str> {
    NUMBERS.iter().map(|number| number.name).collect()
}

/// Each field is the number of its name, in JSON too.
#[test]
fn a_number_is_the_field_of_its_name() {
    for (place, number) in NUMBERS.iter().enumerate() {
        let given = NONE.with(number, Some(0.5));
        assert_eq!(serde_json::to_value(given).unwrap()[number.name], 0.5);
        let values: Vec<Option<f64>> = given.numbers().map(|(_, value)| value).collect();
        let expected = |other| (other == place).then_some(0.5);
        assert_eq!(values, (0..NUMBERS.len()).map(expected).collect::<Vec<_>>(), "{}", number.name);
        assert!(given.has(number.name) && !given.has("base"));
    }
}

#[test]
fn anothers_hyperparameter_is_refused_with_those_that_take_it() {
    let beta1 = Hyperparameters { beta1: Some(0.9), ..NONE };
    let eps = Hyperparameters { eps: Some(1e-8), ..NONE };
    let base = Hyperparameters { base: Some(Base::Adam), ..NONE };
    let rho = Hyperparameters { rho: Some(0.1), ..NONE };
    let over = |name: &str| format!("sam and asam with --base {name}");
    let momenta = "momentum, nesterov, ema-momentum, qhm, schedule-free, shampoo, signum, muon";
    let momenta = format!("{momenta}, {}", over("momentum"));
    let means = "adam, adamw, nadam, ademamix, schedule-free-adamw, lamb, soap, lion, muon";
    let means = format!("{means}, {}", over("adam"));
    let with_eps = "adam, adamw, nadam, rmsprop, adagrad, ademamix, schedule-free-adamw, adafactor, \
                    lamb, shampoo, soap, muon";
    let with_eps = format!("{with_eps}, {}", over("adam"));
    for (name, given, field, takers) in [
        ("sgd", momentum(0.9), "momentum", momenta.as_str()),
        ("adam", momentum(0.9), "momentum", &momenta),
        ("momentum", beta1, "beta1", &means),
        ("rmsprop", beta1, "beta1", &means),
        ("sgd", eps, "eps", &with_eps),
        ("adam", rho, "rho", "sam, asam"),
        ("adam", base, "base", "sam, asam"),
    ] {
        let message = refused(name, given, field);
        let expected = format!("{name} does not take it; those that do: {takers}");
        assert!(message.ends_with(&expected), "'{message}' does not end with '{expected}'");
        assert!(!OptimizerSpec::takes(name, None, field).unwrap());
    }
}

#[test]
fn sam_takes_what_its_base_takes() {
    for name in ["sam", "asam"] {
        let message = refused(name, momentum(0.9), "momentum");
        assert!(message.contains(&format!("{name} over sgd does not take it")), "{message}");
        let eps = Hyperparameters { eps: Some(0.1), ..ascending(Base::Momentum, 0.1) };
        let message = refused(name, eps, "eps");
        assert!(message.contains(&format!("{name} over momentum does not take it")), "{message}");

        let given = Hyperparameters { momentum: Some(0.8), ..ascending(Base::Momentum, 0.1) };
        let spec = OptimizerSpec::resolve(name, given).unwrap();
        assert_eq!(
            spec.hyperparameters,
            Hyperparameters { weight_decay: Some(0.0), ..given },
            "what is given, and the default for the rest"
        );
        for (base, flags) in [
            (Base::Sgd, [false, false, false]),
            (Base::Momentum, [true, false, false]),
            (Base::Adam, [false, true, true]),
        ] {
            let takes = |field| OptimizerSpec::takes(name, Some(base), field).unwrap();
            assert_eq!(["momentum", "beta1", "eps"].map(takes), flags, "over {base:?}");
            assert!(takes("rho") && takes("base") && takes("weight_decay"));
        }
    }
}

#[test]
fn defaults_are_those_of_the_entry_and_nothing_else_is_set() {
    for entry in ENTRIES.iter().filter(|entry| entry.defaults.base.is_none()) {
        let spec = OptimizerSpec::resolve(entry.name, NONE).unwrap();
        assert_eq!((spec.name, spec.hyperparameters), (entry.name, entry.defaults));
        assert_eq!(spec.default_lr(), entry.lr);
        assert_eq!((spec.to_string(), spec.slug()), (entry.name.into(), entry.name.into()));
    }
    for (base, alone, shown) in [
        (Base::Sgd, "sgd", "sam"),
        (Base::Momentum, "momentum", "sam over momentum"),
        (Base::Adam, "adam", "sam over adam"),
    ] {
        let spec = OptimizerSpec::resolve("sam", ascending(base, 0.3)).unwrap();
        assert_eq!(spec.to_string(), shown);
        assert_eq!(spec.slug(), shown.replace(" over ", "-"));
        assert_eq!(spec.default_lr(), Entry::find(alone).unwrap().lr);
        let defaults = Entry::find(alone).unwrap().defaults;
        let expected = Hyperparameters { base: Some(base), rho: Some(0.3), ..defaults };
        assert_eq!(spec.hyperparameters, expected);
    }
}
