//! `sharpscope devices`.

use std::fmt::Write;

use super::args::DevicesArgs;
use super::logging::Terminal;
use crate::device::{AdapterInfo, Device, adapters};

/// Prints the adapters and what `auto` takes.
pub(super) fn devices(args: &DevicesArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let adapters = adapters();
    let auto = Device::auto(adapters);
    let found: Vec<AdapterInfo> = adapters.iter().map(|adapter| adapter.info.clone()).collect();
    match args.json {
        true => terminal.json(&as_json(&found, &auto))?,
        false => drop(terminal.output(&as_text(&found, &auto)?)),
    }
    Ok(0)
}

fn as_json(found: &[AdapterInfo], auto: &Device) -> serde_json::Value {
    serde_json::json!({
        "adapters": found,
        "auto": { "backend": auto.backend(), "adapter": auto.adapter() },
    })
}

fn as_text(found: &[AdapterInfo], auto: &Device) -> anyhow::Result<String> {
    let mut text = String::new();
    if found.is_empty() {
        writeln!(text, "no wgpu adapters (a Vulkan, Metal or DX12 driver would add some)")?;
    }
    for adapter in found {
        writeln!(
            text,
            "{}\n  type {}, {} ({})\n  largest buffer {}, largest binding {}",
            adapter.name,
            adapter.kind,
            adapter.api,
            adapter.driver,
            bytes(adapter.max_buffer_bytes),
            bytes(adapter.max_binding_bytes),
        )?;
    }
    writeln!(text, "--backend cpu: always available, f32 and f64")?;
    write!(text, "--backend auto takes: {} ({})", auto.backend(), auto.adapter())?;
    if let Some(notice) = auto.notice() {
        write!(text, "; {notice}")?;
    }
    text.push('\n');
    Ok(text)
}

fn bytes(n: u64) -> String {
    indicatif::BinaryBytes(n).to_string()
}
