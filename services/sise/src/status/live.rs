//! The view that redraws: a picture every few seconds, on a screen of its own that is given back at the end. The keys are
//! read in a thread: a terminal that says nothing must not keep the view from ending.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context as _;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{
    Clear, ClearType, DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen,
};
use crossterm::{cursor, execute, queue, terminal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::take::Camera;
use super::text::{Line, Tone, lines};

/// Keys that wait to be seen.
const KEYS: usize = 16;
/// How often the thread of the keys looks whether anybody wants them still.
const LOOK: Duration = Duration::from_millis(200);
/// What the last line says.
const HELP: &str = "q quits · ↑ ↓ page up, page down scroll · r looks again";

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Quit,
    Again,
    /// So many lines down.
    Scroll(isize),
    Pages(isize),
    Redraw,
}

/// Gives the terminal back, whatever happens.
struct Screen;

impl Screen {
    fn open() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let screen = Self;
        execute!(io::stdout(), EnterAlternateScreen, DisableLineWrap, cursor::Hide)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _left = execute!(io::stdout(), cursor::Show, EnableLineWrap, LeaveAlternateScreen);
        let _cooked = terminal::disable_raw_mode();
    }
}

/// Shows the view until a person ends it.
///
/// # Errors
/// When the terminal cannot be used.
pub async fn run(camera: &Camera, every: Duration) -> anyhow::Result<()> {
    let _screen = Screen::open().context("terminal")?;
    let (tell, mut wishes) = mpsc::channel(KEYS);
    std::thread::spawn(move || keys(&tell));
    let mut shown = vec![Line { tone: Tone::Faint, text: "looking …".to_owned() }];
    let mut top: usize = 0;
    loop {
        draw(&shown, &mut top).context("terminal")?;
        let picture = super::look(camera);
        tokio::pin!(picture);
        let mut next = None;
        loop {
            let until = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3_600));
            tokio::select! {
                taken = &mut picture, if next.is_none() => {
                    shown = lines(&taken);
                    next = Some(Instant::now() + every);
                    draw(&shown, &mut top).context("terminal")?;
                }
                () = tokio::time::sleep_until(until), if next.is_some() => break,
                wish = wishes.recv() => match wish {
                    None | Some(Wish::Quit) => return Ok(()),
                    Some(Wish::Again) if next.is_some() => break,
                    Some(Wish::Again | Wish::Redraw) => draw(&shown, &mut top).context("terminal")?,
                    Some(Wish::Scroll(count)) => {
                        top = top.saturating_add_signed(count);
                        draw(&shown, &mut top).context("terminal")?;
                    }
                    Some(Wish::Pages(count)) => {
                        let (_, height) = terminal::size().context("terminal")?;
                        top = top.saturating_add_signed(count.saturating_mul(isize::try_from(height / 2)?));
                        draw(&shown, &mut top).context("terminal")?;
                    }
                },
            }
        }
    }
}

/// Reads keys until nobody wants them.
fn keys(tell: &mpsc::Sender<Wish>) {
    while !tell.is_closed() {
        match crossterm::event::poll(LOOK) {
            Ok(false) => {}
            Ok(true) => {
                let Ok(event) = crossterm::event::read() else { return };
                let Some(wish) = wish(&event) else { continue };
                if tell.blocking_send(wish).is_err() {
                    return;
                }
            }
            // The terminal is gone: the channel closes, and so the view.
            Err(_) => return,
        }
    }
}

fn wish(event: &Event) -> Option<Wish> {
    let key = match event {
        Event::Resize(..) => return Some(Wish::Redraw),
        Event::Key(KeyEvent { kind: KeyEventKind::Release, .. }) => return None,
        Event::Key(key) => key,
        _ => return None,
    };
    Some(match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Wish::Quit,
        KeyCode::Char('q') | KeyCode::Esc => Wish::Quit,
        KeyCode::Char('r') => Wish::Again,
        KeyCode::Down | KeyCode::Char('j') => Wish::Scroll(1),
        KeyCode::Up | KeyCode::Char('k') => Wish::Scroll(-1),
        KeyCode::PageDown | KeyCode::Char(' ') => Wish::Pages(1),
        KeyCode::PageUp => Wish::Pages(-1),
        KeyCode::Home => Wish::Scroll(isize::MIN),
        _ => return None,
    })
}

/// Draws what fits from line `top` on, which is moved to where there is something.
fn draw(lines: &[Line], top: &mut usize) -> io::Result<()> {
    let (_, height) = terminal::size()?;
    let room = usize::from(height.saturating_sub(1));
    *top = (*top).min(lines.len().saturating_sub(room));
    let mut output = io::BufWriter::new(io::stdout().lock());
    paint(&mut output, &lines[*top..], room)?;
    output.flush()
}

fn paint(output: &mut impl Write, lines: &[Line], room: usize) -> io::Result<()> {
    queue!(output, cursor::MoveTo(0, 0))?;
    for line in lines.iter().take(room) {
        match line.tone {
            Tone::Plain => {}
            Tone::Head => queue!(output, SetAttribute(Attribute::Bold))?,
            Tone::Good => queue!(output, SetForegroundColor(Color::Green))?,
            Tone::Bad => queue!(output, SetForegroundColor(Color::Red))?,
            Tone::Faint => queue!(output, SetAttribute(Attribute::Dim))?,
        }
        queue!(
            output,
            Print(&line.text),
            SetAttribute(Attribute::Reset),
            ResetColor,
            Clear(ClearType::UntilNewLine),
            cursor::MoveToNextLine(1)
        )?;
    }
    queue!(output, Clear(ClearType::FromCursorDown), SetAttribute(Attribute::Dim), Print(HELP))?;
    queue!(output, SetAttribute(Attribute::Reset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_understood() {
        let key = |code, modifiers| wish(&Event::Key(KeyEvent::new(code, modifiers)));
        assert_eq!(key(KeyCode::Char('q'), KeyModifiers::NONE), Some(Wish::Quit));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Wish::Quit));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::NONE), None);
        assert_eq!(key(KeyCode::PageDown, KeyModifiers::NONE), Some(Wish::Pages(1)));
        assert_eq!(wish(&Event::Resize(80, 24)), Some(Wish::Redraw));
    }

    #[test]
    fn what_fits_is_painted_and_the_rest_is_cleared() {
        let line = |text: &str| Line { tone: Tone::Bad, text: text.to_owned() };
        let mut output = Vec::new();
        paint(&mut output, &[line("one"), line("two"), line("three")], 2).expect("painted");
        let text = String::from_utf8(output).expect("text");
        assert!(text.contains("one") && text.contains("two") && !text.contains("three"), "{text:?}");
        assert!(text.contains("q quits"), "{text:?}");
    }
}
