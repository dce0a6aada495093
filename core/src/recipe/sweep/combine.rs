//! All combinations of alternatives that a sweep file states.

use super::axis::Varied;
use super::file::{SweepFile, invalid};
use crate::recipe::error::RecipeError;
use crate::recipe::node::Node;

/// The most points; a slip of the pen makes more.
const MAX_POINTS: usize = 4096;

/// Of each axis the number of an alternative, or none where the base stays as it is.
pub(super) type Combination = Vec<Option<usize>>;

/// The axes, and all combinations but those that are excluded. Axes of listed points come first.
pub(super) fn combine(
    file: &SweepFile,
    base: &Node,
) -> Result<(Vec<Varied>, Vec<Combination>), RecipeError> {
    let mut varied: Vec<Varied> = Vec::new();
    let mut listed: Vec<Vec<(usize, usize)>> = Vec::new();
    for point in &file.points {
        let mut chosen = Vec::new();
        for (name, value) in point.table().into_iter().flatten() {
            if file.axes.iter().any(|(axis, _)| axis == name) {
                let message = "is varied in [axes] too: state it in one of them".to_owned();
                return Err(invalid(&value.origin, &format!("points.{name}"), message));
            }
            let known = varied.iter().position(|axis| axis.name == *name);
            if known.is_none() {
                varied.push(Varied::new(file, name, &value.origin)?);
            }
            let axis = known.unwrap_or(varied.len() - 1);
            chosen.push((axis, varied[axis].number(file, base, value)?));
        }
        listed.push(chosen);
    }
    let of_points = varied.len();
    for (name, values) in &file.axes {
        let mut axis = Varied::new(file, name, &values[0].origin)?;
        for (place, value) in values.iter().enumerate() {
            if axis.number(file, base, value)? < place {
                let message = format!("states `{}` twice", axis.label(value)?);
                return Err(invalid(&value.origin, &format!("axes.{name}"), message));
            }
        }
        varied.push(axis);
    }
    let grid = &varied[of_points..];
    let sizes = grid.iter().map(|axis| axis.alternatives.len());
    let size = sizes.fold(listed.len().max(1), usize::saturating_mul);
    if size > MAX_POINTS {
        let message = format!("they make {size} points, and a sweep has at most {MAX_POINTS}");
        return Err(invalid(&file.origin, "axes", message));
    }
    if listed.is_empty() {
        listed.push(Vec::new());
    }
    let mut all = Vec::with_capacity(size);
    for chosen in &listed {
        let mut first: Combination = vec![None; of_points];
        for (axis, alternative) in chosen {
            first[*axis] = Some(*alternative);
        }
        let mut rows = vec![first];
        for axis in grid {
            let longer = rows.iter().flat_map(|row| {
                let choices = 0..axis.alternatives.len();
                choices.map(move |choice| [row.as_slice(), &[Some(choice)]].concat())
            });
            rows = longer.collect();
        }
        all.extend(rows);
    }
    for (index, exclusion) in file.exclude.iter().enumerate() {
        exclude(&varied, &mut all, &format!("exclude.{index}"), exclusion)?;
    }
    if all.is_empty() {
        let message = "leaves no point of the sweep".to_owned();
        return Err(invalid(&file.origin, "exclude", message));
    }
    Ok((varied, all))
}

/// Leaves out the combinations that have all that `exclusion` names.
fn exclude(
    varied: &[Varied],
    all: &mut Vec<Combination>,
    key: &str,
    exclusion: &Node,
) -> Result<(), RecipeError> {
    let mut named: Vec<(usize, usize)> = Vec::new();
    for (name, value) in exclusion.table().into_iter().flatten() {
        let axis = varied.iter().position(|axis| axis.name == *name);
        let axis = axis.ok_or_else(|| RecipeError::UnknownKey {
            origin: value.origin.clone(),
            table: key.to_owned(),
            key: name.clone(),
            allowed: varied.iter().map(|axis| axis.name.clone()).collect(),
        })?;
        let label = varied[axis].label(value)?;
        let number = varied[axis].find(&label).ok_or_else(|| {
            let there = varied[axis].alternatives.iter();
            let there = there.map(|alternative| alternative.label.clone());
            varied[axis].unknown(&value.origin, &label, there.collect())
        })?;
        named.push((axis, number));
    }
    let before = all.len();
    let is_meant = |row: &Combination| named.iter().all(|(axis, one)| row[*axis] == Some(*one));
    all.retain(|row| named.is_empty() || !is_meant(row));
    if all.len() == before {
        let message = "leaves out no point; name axes with one of their alternatives".to_owned();
        return Err(invalid(&exclusion.origin, key, message));
    }
    Ok(())
}
