//! Conversations as columns have them.

use menagerie_core::chat::{IMAGE_MARK, Role, Turn};
use parquet::record::{Field, Row};

/// The turns of a value; `None` if there is none. An error says what is wrong and what is allowed.
///
/// A list of structs, or the struct of lists that older versions of `datasets` made of it.
pub(super) fn turns(value: &Field, images: usize) -> Result<Option<Vec<Turn>>, String> {
    let mut turns = Vec::new();
    match value {
        Field::Null => return Ok(None),
        Field::ListInternal(list) => {
            for (number, element) in list.elements().iter().enumerate() {
                let Field::Group(row) = element else {
                    return Err(format!("turn {} is missing", number + 1));
                };
                push(&mut turns, &Texts::of(row))?;
            }
        }
        Field::Group(row) => {
            let lists = Lists::of(row)?;
            for number in 0..lists.len()? {
                push(&mut turns, &lists.turn(number))?;
            }
        }
        _ => return Err("it is no list of turns".to_owned()),
    }
    mark_images(value, &mut turns, images);
    Ok(Some(turns))
}

/// The texts of one turn, by what they are called.
struct Texts<'r>(Vec<(&'r str, Option<&'r str>)>);

impl<'r> Texts<'r> {
    fn of(row: &'r Row) -> Self {
        let columns = row.get_column_iter();
        Self(
            columns
                .map(|(name, value)| (name.as_str(), text(value)))
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<&'r str> {
        let mut all = self.0.iter();
        all.find(|(own, _)| *own == name)
            .and_then(|(_, text)| *text)
    }
}

fn push(turns: &mut Vec<Turn>, texts: &Texts<'_>) -> Result<(), String> {
    let number = turns.len() + 1;
    if let (Some(user), Some(assistant)) = (texts.get("user"), texts.get("assistant")) {
        turns.push(Turn::human(user));
        turns.push(Turn::assistant(assistant));
        return Ok(());
    }
    let role = texts.get("from").or_else(|| texts.get("role"));
    let said = texts.get("value").or_else(|| texts.get("content"));
    let role = match role {
        Some("human" | "user") => Role::Human,
        Some("gpt" | "assistant") => Role::Assistant,
        Some(other) => {
            return Err(format!(
                "turn {number} is by `{other}`; the roles are human, user, gpt and assistant"
            ));
        }
        None => return Err(format!("turn {number} does not say who speaks")),
    };
    let text = said.ok_or_else(|| format!("turn {number} has no text"))?;
    turns.push(Turn {
        role,
        text: text.to_owned(),
    });
    Ok(())
}

/// Puts the images before the first question where no text places them, as those of questions with
/// answers in one struct never do.
fn mark_images(value: &Field, turns: &mut [Turn], images: usize) {
    let in_pairs = match value {
        Field::ListInternal(list) => list.elements().first().is_some_and(
            |first| matches!(first, Field::Group(row) if Texts::of(row).get("user").is_some()),
        ),
        _ => false,
    };
    if in_pairs
        && turns.iter().all(|turn| turn.images() == 0)
        && let Some(first) = turns.first_mut()
    {
        let marks = format!("{IMAGE_MARK}\n").repeat(images);
        first.text.insert_str(0, &marks);
    }
}

/// A struct of lists.
struct Lists<'r>(Vec<(&'r str, &'r [Field])>);

impl<'r> Lists<'r> {
    fn of(row: &'r Row) -> Result<Self, String> {
        let lists = row.get_column_iter().map(|(name, value)| match value {
            Field::ListInternal(list) => Ok((name.as_str(), list.elements())),
            Field::Null => Ok((name.as_str(), [].as_slice())),
            _ => Err(format!("its `{name}` is no list")),
        });
        lists.collect::<Result<_, String>>().map(Self)
    }

    fn len(&self) -> Result<usize, String> {
        let mut lengths = self.0.iter().map(|(_, list)| list.len());
        let first = lengths.next().unwrap_or(0);
        if lengths.any(|length| length != first) {
            return Err("its lists differ in length".to_owned());
        }
        Ok(first)
    }

    fn turn(&self, number: usize) -> Texts<'r> {
        let columns = self.0.iter();
        Texts(
            columns
                .map(|(name, list)| (*name, text(&list[number])))
                .collect(),
        )
    }
}

/// A value as text.
pub(super) fn text(value: &Field) -> Option<&str> {
    match value {
        Field::Str(text) => Some(text),
        Field::Bytes(bytes) => std::str::from_utf8(bytes.data()).ok(),
        _ => None,
    }
}
