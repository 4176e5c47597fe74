//! Settings as flags: each comes from its entry in the table of settings.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::marker::PhantomData;

use clap::builder::{PossibleValue, TypedValueParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::config::{CompareSettings, Form, Setting, Settings, Value, Visit, Visitor, flag};

/// Makes the settings of a struct flags.
macro_rules! as_flags {
    ($($Settings:ty),+) => {
        $(impl Args for $Settings {
            fn augment_args(command: Command) -> Command {
                with_flags::<Self>(command)
            }

            fn augment_args_for_update(command: Command) -> Command {
                with_flags::<Self>(command)
            }
        }

        impl FromArgMatches for $Settings {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok(given(matches))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                *self = given::<Self>(matches).or(std::mem::take(self));
                Ok(())
            }
        })+
    };
}

as_flags!(Settings, CompareSettings);

fn with_flags<S: Visit>(command: Command) -> Command {
    let mut flags = Flags(Vec::new());
    let Ok(()) = S::default().visit(&mut flags);
    command.args(flags.0)
}

/// A flag for each setting that has one.
struct Flags(Vec<Arg>);

impl Visitor for Flags {
    type Error = Infallible;

    fn setting<T: Value>(
        &mut self,
        setting: &Setting<'_, T>,
        _: &mut Option<T>,
    ) -> Result<(), Infallible> {
        let Some(heading) = setting.heading else { return Ok(()) };
        let arg = Arg::new(setting.name)
            .long(flag(setting.name).trim_start_matches('-').to_string())
            .value_name(setting.value_name)
            .help((setting.help)())
            .help_heading(heading)
            .allow_negative_numbers(T::FORM == Form::Number)
            .allow_hyphen_values(T::FORM == Form::Point)
            .action(ArgAction::Set);
        let arg = match setting.alias {
            Some(alias) => arg.alias(alias),
            None => arg,
        };
        self.0.push(match T::FORM {
            Form::Switch => arg
                .value_parser(ValueParser::bool())
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true"),
            Form::Path => arg.value_parser(ValueParser::path_buf()),
            Form::Word | Form::Number | Form::Point => {
                arg.value_parser(Read::<T>::new()).hide_possible_values(true)
            }
        });
        Ok(())
    }
}

/// Settings of a run from flags that stand behind those of another command.
///
/// # Errors
/// clap's, of a flag or a value that `run` does not take.
pub(super) fn settings_of(flags: &[String]) -> Result<Settings, clap::Error> {
    let mut command = Settings::augment_args(Command::new("run").no_binary_name(true));
    let matches = command.try_get_matches_from_mut(flags)?;
    Settings::from_arg_matches(&matches)
}

fn given<S: Visit>(matches: &ArgMatches) -> S {
    let mut settings = S::default();
    let Ok(()) = settings.visit(&mut Given(matches));
    settings
}

/// Puts in each setting what its flag was given.
struct Given<'a>(&'a ArgMatches);

impl Visitor for Given<'_> {
    type Error = Infallible;

    fn setting<T: Value>(
        &mut self,
        setting: &Setting<'_, T>,
        value: &mut Option<T>,
    ) -> Result<(), Infallible> {
        if setting.heading.is_some() {
            *value = self.0.get_one::<T>(setting.name).cloned();
        }
        Ok(())
    }
}

/// Reads a flag by [`Value::parse`], and knows the names that it may have.
pub(super) struct Read<T>(PhantomData<fn() -> T>);

impl<T> Read<T> {
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for Read<T> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<T: Value> TypedValueParser for Read<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let parse: fn(&str) -> Result<T, String> = T::parse;
        parse.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = T::NAMES.iter().copied().map(PossibleValue::new);
        (!T::NAMES.is_empty()).then(|| Box::new(names) as _)
    }
}
