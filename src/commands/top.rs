//! `top`: rates, again and again.

use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyCode, KeyModifiers};
use crossterm::terminal::{self, ClearType};
use crossterm::{cursor, execute, queue, style};
use protocol::detail::ProcessDetail;
use serde_json::json;

use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::rates;
use crate::render::rates::tables;

/// `top [--count N] [--interval S]`
pub fn run(context: &mut Context, args: &Args) -> Outcome {
    let interval = Duration::from_secs_f64(args.seconds("S").unwrap_or(1.0));
    let count = args.number("N");
    let before = context
        .client
        .details()
        .map_err(|failure| match failure.status() {
            Some(404) => {
                Failure::refused("This controller has no counters to show (GET /v1/details).")
            }
            _ => failure,
        })?;
    if context.json || !context.full_screen {
        return watch(context, None, before, count, interval).map(|()| Report::written());
    }
    let screen = Screen::open(context)?;
    let result = watch(context, Some(&screen), before, count, interval);
    screen.close(context)?;
    result.map(|()| Report::written())
}

fn watch(
    context: &mut Context,
    screen: Option<&Screen>,
    mut before: Vec<ProcessDetail>,
    count: Option<u64>,
    interval: Duration,
) -> Result<(), Failure> {
    let mut shown = 0;
    while count.is_none_or(|count| shown < count) && pause(context, screen, interval)? {
        let after = context.client.details()?;
        let rates = rates::between(&before, &after);
        if context.json {
            writeln!(context.out, "{}", json!({"processes": rates}))?;
        } else {
            let text = tables(&rates, context.style);
            let text = if text.is_empty() {
                "No process is registered.\n"
            } else {
                &text
            };
            match screen {
                Some(screen) => screen.show(context, interval, text)?,
                None => writeln!(context.out, "{text}")?,
            }
        }
        context.out.flush()?;
        before = after;
        shown += 1;
    }
    Ok(())
}

/// Waits; false if the user wants to end.
fn pause(context: &Context, screen: Option<&Screen>, time: Duration) -> Result<bool, Failure> {
    if screen.is_none() {
        return Ok(context.pause(time));
    }
    let end = Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(true);
        }
        if event::poll(left)?
            && let Event::Key(key) = event::read()?
        {
            let control_c =
                key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            if control_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                return Ok(false);
            }
        }
    }
}

/// The terminal as a whole, given back when this goes.
struct Screen;

impl Screen {
    fn open(context: &mut Context) -> Result<Self, Failure> {
        terminal::enable_raw_mode()?;
        let screen = Self;
        execute!(
            &mut context.out,
            terminal::EnterAlternateScreen,
            terminal::DisableLineWrap,
            cursor::Hide
        )?;
        Ok(screen)
    }

    /// Shows as much of `text` as there is room for.
    fn show(&self, context: &mut Context, interval: Duration, text: &str) -> std::io::Result<()> {
        let (_, height) = terminal::size()?;
        let head = format!(
            "spp top  {}  every {} s  (q ends)",
            context.client.address(),
            interval.as_secs_f64()
        );
        let lines = [head.as_str(), ""]
            .into_iter()
            .chain(text.lines())
            .take(usize::from(height));
        let mut used = 0;
        for (row, line) in (0..).zip(lines) {
            queue!(
                &mut context.out,
                cursor::MoveTo(0, row),
                style::Print(line),
                terminal::Clear(ClearType::UntilNewLine)
            )?;
            used = row + 1;
        }
        if used < height {
            queue!(
                &mut context.out,
                cursor::MoveTo(0, used),
                terminal::Clear(ClearType::FromCursorDown)
            )?;
        }
        Ok(())
    }

    /// Gives the terminal back, on the output that it was taken with.
    fn close(self, context: &mut Context) -> Result<(), Failure> {
        execute!(
            &mut context.out,
            terminal::EnableLineWrap,
            cursor::Show,
            terminal::LeaveAlternateScreen
        )?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // If even this fails, `reset` is the user's way out; there is nobody to tell.
        let _ = terminal::disable_raw_mode();
    }
}
