//! Which columns of a file are what.

use std::sync::Arc;

use menagerie_core::recipe::DataText;
use parquet::basic::Type as Physical;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type};

/// The columns that are read of a file, all others passed over.
#[derive(Debug)]
pub(super) struct Layout {
    pub id: Option<Column>,
    /// What is learned.
    pub text: Column,
    pub image: Option<ImageColumn>,
}

/// A column, or the part of it that is read on opening.
#[derive(Debug)]
pub(super) struct Column {
    pub name: String,
    /// A schema of this column alone.
    pub schema: SchemaDescPtr,
}

#[derive(Debug)]
pub(super) struct ImageColumn {
    /// What says how many images a row has, and their paths if there are any.
    pub beside: Column,
    /// The place of the column of bytes among all of the file; none if there are names alone.
    pub bytes: Option<usize>,
}

/// A column that is not as it should be.
pub(super) struct Unfit {
    pub column: Option<String>,
    pub reason: String,
}

const CONVERSATIONS: [&str; 4] = ["conversations", "messages", "conversation", "texts"];
const CAPTIONS: [&str; 2] = ["caption", "text"];
const IMAGES: [&str; 2] = ["image", "images"];
/// Who speaks and what; or question and answer.
const TURNS: [&str; 6] = ["from", "role", "value", "content", "user", "assistant"];

impl Layout {
    pub(super) fn of(schema: &SchemaDescriptor, text: DataText) -> Result<Self, Unfit> {
        let fields = schema.root_schema().get_fields();
        let find = |names: &[&str]| {
            let mut names = names.iter();
            names.find_map(|name| fields.iter().find(|field| field.name() == *name))
        };
        let names = match text {
            DataText::Conversations => CONVERSATIONS.as_slice(),
            DataText::Caption => CAPTIONS.as_slice(),
        };
        let Some(said) = find(names) else {
            let there: Vec<&str> = fields.iter().map(|field| field.name()).collect();
            let reason = format!(
                "it has none of the columns {}; it has {}. `text` in the recipe's data says which of conversations and captions is learned",
                names.join(", "),
                there.join(", ")
            );
            return Err(Unfit {
                column: None,
                reason,
            });
        };
        let said = match text {
            DataText::Conversations => turns(schema, said)?,
            DataText::Caption => plain(schema, said)?,
        };
        Ok(Self {
            id: find(&["id"]).map(|id| plain(schema, id)).transpose()?,
            text: said,
            image: find(&IMAGES)
                .map(|image| images(schema, image))
                .transpose()?,
        })
    }
}

impl Column {
    /// Those leaves of `field` that `keep` says by their own name or that of a part that they are in:
    /// in a struct of lists only the lists have names.
    fn of(schema: &SchemaDescriptor, field: &Type, keep: impl Fn(&str) -> bool) -> Self {
        let fields = pruned(field, &keep).map(Arc::new).into_iter().collect();
        let root = Type::GroupType {
            basic_info: schema.root_schema().get_basic_info().clone(),
            fields,
        };
        Self {
            name: field.name().to_owned(),
            schema: Arc::new(SchemaDescriptor::new(Arc::new(root))),
        }
    }
}

fn unfit(field: &Type, reason: &str) -> Unfit {
    Unfit {
        column: Some(field.name().to_owned()),
        reason: reason.to_owned(),
    }
}

/// A text or a number.
fn plain(schema: &SchemaDescriptor, field: &Type) -> Result<Column, Unfit> {
    if !field.is_primitive() {
        return Err(unfit(field, "it is no plain text or number"));
    }
    Ok(Column::of(schema, field, |_| true))
}

fn turns(schema: &SchemaDescriptor, field: &Type) -> Result<Column, Unfit> {
    let found = leaves(schema, field.name());
    let has = |name: &str| {
        let mut found = found.iter();
        found.any(|leaf| leaf.is(name) && leaf.physical == Physical::BYTE_ARRAY)
    };
    let said = |who: &str, what: &str| has(who) && has(what);
    if !(said("from", "value") || said("role", "content") || said("user", "assistant")) {
        return Err(unfit(
            field,
            "it is no list of turns; each is a struct of texts: `from` and `value`, `role` and `content`, or `user` and `assistant`",
        ));
    }
    Ok(Column::of(schema, field, |name| TURNS.contains(&name)))
}

fn images(schema: &SchemaDescriptor, field: &Type) -> Result<ImageColumn, Unfit> {
    let found = leaves(schema, field.name());
    let named = |name: &str| found.iter().find(|leaf| leaf.is(name));
    let wrong = |reason| Err(unfit(field, reason));
    let column = |keep: &str| Column::of(schema, field, |name| name == keep);
    let whole = || Column::of(schema, field, |_| true);
    let (beside, bytes) = match (named("bytes"), named("path"), found.as_slice()) {
        (Some(bytes), Some(_), _) => (column("path"), Some(bytes)),
        (Some(bytes), None, _) => (column("bytes"), Some(bytes)),
        (None, Some(_), _) => (column("path"), None),
        // Bytes or names by themselves.
        (None, None, [only]) if only.is_text => (whole(), None),
        (None, None, [only]) => (whole(), Some(only)),
        (None, None, _) => return wrong(IMAGE_KINDS),
    };
    if bytes.is_some_and(|leaf| leaf.physical != Physical::BYTE_ARRAY) {
        return wrong(IMAGE_KINDS);
    }
    let bytes = bytes.map(|leaf| leaf.place);
    Ok(ImageColumn { beside, bytes })
}

const IMAGE_KINDS: &str = "it holds no images; an image is a struct of `bytes` and `path`, or bytes, or a file's name, and there may be a list of them";

/// A column without parts.
struct Leaf {
    /// The names on the way to it, the column's left out.
    names: Vec<String>,
    place: usize,
    physical: Physical,
    is_text: bool,
}

fn leaves(schema: &SchemaDescriptor, column: &str) -> Vec<Leaf> {
    let all = schema.columns().iter().enumerate();
    let own = all.filter(|(_, leaf)| leaf.path().parts().first().is_some_and(|own| own == column));
    let leaves = own.map(|(place, leaf)| Leaf {
        names: leaf.path().parts()[1..].to_vec(),
        place,
        physical: leaf.physical_type(),
        is_text: leaf.converted_type() == parquet::basic::ConvertedType::UTF8
            || matches!(
                leaf.logical_type_ref(),
                Some(parquet::basic::LogicalType::String)
            ),
    });
    leaves.collect()
}

impl Leaf {
    fn is(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name)
    }
}

/// The type without the leaves that are not kept; `None` if nothing is left of it.
fn pruned(field: &Type, keep: &impl Fn(&str) -> bool) -> Option<Type> {
    match field {
        Type::PrimitiveType { .. } => keep(field.name()).then(|| field.clone()),
        Type::GroupType { .. } if keep(field.name()) => Some(field.clone()),
        Type::GroupType { basic_info, fields } => {
            let fields = fields.iter().filter_map(|field| pruned(field, keep));
            let fields: Vec<_> = fields.map(Arc::new).collect();
            (!fields.is_empty()).then(|| Type::GroupType {
                basic_info: basic_info.clone(),
                fields,
            })
        }
    }
}
