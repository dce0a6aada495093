//! Burn's automatic differentiation without numbers: which tensors an operation makes, which of
//! them the way back needs, and what it computes there.
//!
//! The rules are those of `burn-autodiff` 0.22 without its checkpointing, operation by operation: a
//! product keeps a factor if the other one learns, a function its input, a sum nothing.

use std::collections::HashMap;

use burn::tensor::DType;
use menagerie_core::native::OnePass;

/// A tensor on the tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id(usize);

/// What a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Weights,
    Optimizer,
    Gradients,
    Logits,
    Activations,
}

/// Where the result of an operation lies. These are the rules of Burn's CPU backend (burn-flex
/// 0.22); others allocate more, never less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In memory of its own.
    New,
    /// In its first input's memory, seen in another order: the elements do not follow one another.
    View,
    /// In its first input's memory if the elements follow one another there, else in its own.
    Reshaped,
    /// In the memory of an input that nobody needs any more and that has the result's size, else in
    /// its own.
    Over,
}

/// A tensor's size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Size {
    pub shape: Vec<usize>,
    pub dtype: DType,
}

#[derive(Debug)]
pub(super) struct Info {
    pub size: Size,
    pub kind: Kind,
    /// Whether a gradient flows to it.
    tracked: bool,
}

/// An operation: what it reads, and what it makes.
#[derive(Debug)]
pub(super) struct Event {
    pub reads: Vec<Id>,
    pub made: Option<(Id, Place)>,
    pub flops: f64,
}

/// How a gradient goes from an operation's result to its inputs.
#[derive(Debug, Clone)]
enum Rule {
    /// As it is; summed where the input was broadcast. A sum or a difference.
    Pass,
    /// Times the other factor.
    Product,
    /// Numerator and denominator.
    Quotient,
    /// Changed number by number, without help of the input. A scaling, a mask.
    Scale(Vec<Id>),
    /// Times the function's slope, computed from the input anew.
    Function,
    /// In another order, or as it is.
    View(Place),
    /// Spread over what was summed.
    Spread,
    /// Put to its place among zeros. A choice of elements; `Vec` is what chose them.
    Scatter(Vec<Id>),
    /// Cut into the parts that were joined.
    Cut,
    /// By a matrix product with the other factor.
    Matmul,
    /// The same; a bias gets the sum.
    Linear,
    /// As a kernel of our own does it in one pass, with what it saved.
    OnePass(OnePass, Option<Id>),
    /// Something unknown, taken to need all it had.
    Unknown(Vec<Id>),
}

#[derive(Debug)]
struct Node {
    out: Id,
    inputs: Vec<Id>,
    rule: Rule,
    /// Of the operation; each factor's gradient takes as much again.
    flops: f64,
}

/// All that is computed, in order.
#[derive(Debug, Default)]
pub(super) struct Tape {
    pub tensors: Vec<Info>,
    pub events: Vec<Event>,
    graph: Vec<Node>,
    vocab_size: usize,
    /// Whether nothing is noted for the way back.
    blind: bool,
}

impl Tape {
    /// `vocab_size` tells logits from other tensors.
    pub(super) fn new(vocab_size: usize) -> Self {
        Self {
            vocab_size,
            ..Self::default()
        }
    }

    /// A tensor from outside, such as a parameter.
    pub(super) fn source(&mut self, size: Size, kind: Kind, learns: bool) -> Id {
        let id = self.make(Vec::new(), size, Place::New, 0.0);
        self.tensors[id.0].kind = kind;
        self.tensors[id.0].tracked = learns;
        id
    }

    pub(super) fn size(&self, id: Id) -> &Size {
        &self.tensors[id.0].size
    }

    pub(super) fn set_kind(&mut self, id: Id, kind: Kind) {
        self.tensors[id.0].kind = kind;
    }

    /// Whether what is computed of the tensor is noted for the way back.
    pub(super) fn is_tracked(&self, id: Id) -> bool {
        self.tensors[id.0].tracked && !self.blind
    }

    /// Notes that these are still needed.
    pub(super) fn read(&mut self, reads: Vec<Id>) {
        self.events.push(Event {
            reads,
            made: None,
            flops: 0.0,
        });
    }

    /// An operation without a gradient.
    pub(super) fn make(&mut self, reads: Vec<Id>, size: Size, place: Place, flops: f64) -> Id {
        let id = Id(self.tensors.len());
        let logits = size.dtype == DType::F32 && size.shape.last() == Some(&self.vocab_size);
        self.tensors.push(Info {
            size,
            kind: if logits {
                Kind::Logits
            } else {
                Kind::Activations
            },
            tracked: false,
        });
        self.events.push(Event {
            reads,
            made: Some((id, place)),
            flops,
        });
        id
    }

    fn node(
        &mut self,
        inputs: &[Id],
        others: &[Id],
        size: Size,
        place: Place,
        flops: f64,
        rule: Rule,
    ) -> Id {
        let reads = inputs.iter().chain(others).copied().collect();
        let out = self.make(reads, size, place, flops);
        if inputs.iter().any(|input| self.is_tracked(*input)) {
            self.tensors[out.0].tracked = true;
            self.graph.push(Node {
                out,
                inputs: inputs.to_vec(),
                rule,
                flops,
            });
        }
        out
    }

    pub(super) fn add(&mut self, inputs: &[Id], size: Size) -> Id {
        self.node(inputs, &[], size, Place::Over, 0.0, Rule::Pass)
    }

    pub(super) fn multiply(&mut self, inputs: &[Id], size: Size) -> Id {
        self.node(inputs, &[], size, Place::Over, 0.0, Rule::Product)
    }

    pub(super) fn divide(&mut self, inputs: &[Id], size: Size) -> Id {
        self.node(inputs, &[], size, Place::Over, 0.0, Rule::Quotient)
    }

    /// A scaling or a cast; `others` hold what it needs besides, such as a mask.
    pub(super) fn scale(&mut self, input: Id, others: &[Id], size: Size, place: Place) -> Id {
        let rule = Rule::Scale(others.to_vec());
        self.node(&[input], others, size, place, 0.0, rule)
    }

    pub(super) fn function(&mut self, input: Id, size: Size) -> Id {
        self.node(&[input], &[], size, Place::Over, 0.0, Rule::Function)
    }

    pub(super) fn view(&mut self, input: Id, size: Size, place: Place) -> Id {
        self.node(&[input], &[], size, place, 0.0, Rule::View(place))
    }

    pub(super) fn sum(&mut self, input: Id, size: Size) -> Id {
        self.node(&[input], &[], size, Place::New, 0.0, Rule::Spread)
    }

    /// Elements of `input`, chosen by `others` or by their place.
    pub(super) fn choose(&mut self, input: Id, others: &[Id], size: Size, place: Place) -> Id {
        let rule = Rule::Scatter(others.to_vec());
        self.node(&[input], others, size, place, 0.0, rule)
    }

    pub(super) fn join(&mut self, inputs: &[Id], size: Size) -> Id {
        self.node(inputs, &[], size, Place::New, 0.0, Rule::Cut)
    }

    pub(super) fn matmul(&mut self, inputs: &[Id], size: Size, flops: f64) -> Id {
        self.node(inputs, &[], size, Place::New, flops, Rule::Matmul)
    }

    pub(super) fn linear(&mut self, inputs: &[Id], size: Size, flops: f64) -> Id {
        self.node(inputs, &[], size, Place::New, flops, Rule::Linear)
    }

    /// What is done in one pass.
    pub(super) fn one_pass(&mut self, what: OnePass, inputs: &[Id], size: Size, flops: f64) -> Id {
        let place = match what {
            OnePass::Loss | OnePass::Attention => Place::New,
            _ => Place::Over,
        };
        let rule = Rule::OnePass(what, None);
        let out = self.node(inputs, &[], size, place, flops, rule);
        if self.is_tracked(out) {
            let saved = self.saved(what, inputs[0]);
            if let Some(node) = self.graph.last_mut() {
                node.rule = Rule::OnePass(what, saved);
            }
        }
        out
    }

    /// What it makes for the way back alone, of its first input.
    fn saved(&mut self, what: OnePass, input: Id) -> Option<Id> {
        let mut size = self.size(input).clone();
        match what {
            // The gradient of the logits is written over them.
            OnePass::Loss => Some(self.make(vec![input], size, Place::Over, 0.0)),
            // A number for each query and head.
            OnePass::Attention => {
                size.shape.pop();
                Some(self.make(Vec::new(), size, Place::New, 0.0))
            }
            _ => None,
        }
    }

    pub(super) fn unknown(&mut self, inputs: &[Id], size: Size, flops: f64) -> Id {
        let rule = Rule::Unknown(inputs.to_vec());
        self.node(inputs, &[], size, Place::New, flops, rule)
    }

    /// Runs `work` where nothing is noted for the way back.
    pub(super) fn untracked<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.blind, true);
        let done = work(self);
        self.blind = before;
        done
    }

    /// Lets gradients flow to a tensor that was made untracked.
    pub(super) fn track(&mut self, id: Id) {
        self.tensors[id.0].tracked = true;
    }

    /// Where the next operation is noted for the way back.
    pub(super) fn place(&self) -> usize {
        self.graph.len()
    }

    /// Goes back to `place`, from the tensors whose gradients are known. Gradients of what was made
    /// before it are left in `gradients`.
    pub(super) fn back_to(&mut self, place: usize, gradients: &mut HashMap<Id, Id>) {
        for node in self.graph.split_off(place).into_iter().rev() {
            if let Some(gradient) = gradients.remove(&node.out) {
                self.step_back(&node, gradient, gradients);
            }
        }
    }

    fn step_back(&mut self, node: &Node, gradient: Id, gradients: &mut HashMap<Id, Id>) {
        for (place, &input) in node.inputs.iter().enumerate() {
            if !self.is_tracked(input) {
                continue;
            }
            let others = node.inputs.iter().enumerate();
            let others: Vec<Id> = others
                .filter(|(other, _)| *other != place)
                .map(|(_, id)| *id)
                .collect();
            let own = self.gradient(node, place, input, &others, gradient);
            let total = match gradients.remove(&input) {
                None => own,
                Some(before) => {
                    let size = self.size(input).clone();
                    self.make(vec![own, before], size, Place::Over, 0.0)
                }
            };
            gradients.insert(input, total);
        }
    }

    /// The gradient of one input of a node.
    fn gradient(&mut self, node: &Node, place: usize, input: Id, others: &[Id], from: Id) -> Id {
        let size = self.size(input).clone();
        let out = self.size(node.out).clone();
        match &node.rule {
            Rule::Pass => self.reduced(from, size),
            Rule::Product => {
                let reads = [&[from], others].concat();
                let own = self.make(reads, out, Place::Over, 0.0);
                self.reduced(own, size)
            }
            Rule::Quotient if place == 0 => {
                let denominator = self.size(others[0]).clone();
                let value = self.make(others.to_vec(), denominator, Place::Over, 0.0);
                let own = self.make(vec![from, value], out, Place::Over, 0.0);
                self.reduced(own, size)
            }
            Rule::Quotient => {
                let numerator = self.make(others.to_vec(), out.clone(), Place::Over, 0.0);
                let square = self.make(vec![input], size.clone(), Place::New, 0.0);
                let value = self.make(vec![numerator, square], out.clone(), Place::Over, 0.0);
                let own = self.make(vec![from, value], out, Place::Over, 0.0);
                self.reduced(own, size)
            }
            Rule::Scale(with) => {
                let reads = [&[from], with.as_slice()].concat();
                self.make(reads, size, Place::Over, 0.0)
            }
            Rule::Function => {
                let slope = self.make(vec![input], size.clone(), Place::Over, 0.0);
                self.make(vec![from, slope], size, Place::Over, 0.0)
            }
            Rule::View(_) if size.count() < out.count() => self.reduced(from, size),
            Rule::View(place) => self.make(vec![from], size, *place, 0.0),
            Rule::Spread => {
                let ones = self.make(Vec::new(), size.clone(), Place::New, 0.0);
                self.make(vec![ones, from], size, Place::Over, 0.0)
            }
            Rule::Scatter(by) => {
                let zeros = self.make(Vec::new(), size.clone(), Place::New, 0.0);
                let reads = [&[zeros, from], by.as_slice()].concat();
                self.make(reads, size, Place::Over, 0.0)
            }
            Rule::Cut => self.make(vec![from], size, Place::View, 0.0),
            Rule::Matmul => {
                let mut product = out;
                let rank = product.shape.len();
                product.shape[rank - 2..].copy_from_slice(&size.shape[size.shape.len() - 2..]);
                let own = self.make(vec![from, others[0]], product, Place::New, node.flops);
                self.reduced(own, size)
            }
            Rule::Linear if place == 2 => self.make(vec![from], size, Place::New, 0.0),
            Rule::Linear => {
                let other = node.inputs[1 - place];
                self.make(vec![from, other], size, Place::New, node.flops)
            }
            Rule::OnePass(what, saved) => {
                let (reads, place, flops) = match what {
                    OnePass::Activation => (vec![from, input], Place::Over, 0.0),
                    OnePass::SoftCap => (vec![from, node.out], Place::Over, 0.0),
                    OnePass::Gate if place == 0 => (vec![input, from, others[0]], Place::Over, 0.0),
                    OnePass::Gate => (vec![input, from], Place::Over, 0.0),
                    OnePass::Norm if place == 0 => (vec![from, input], Place::Over, 0.0),
                    OnePass::Rotary => (vec![from], Place::Over, 0.0),
                    OnePass::Loss => (
                        saved.iter().copied().chain([from]).collect(),
                        Place::Over,
                        0.0,
                    ),
                    // Four products for the two of the way there, shared by three gradients.
                    OnePass::Attention => {
                        let reads = [&[from, node.out], &*node.inputs, saved.as_slice()].concat();
                        (reads, Place::New, node.flops * 2.0 / 3.0)
                    }
                    _ => (Vec::new(), Place::New, 0.0),
                };
                self.make(reads, size, place, flops)
            }
            Rule::Unknown(with) => {
                let reads = [&[from, node.out], with.as_slice()].concat();
                let flops = if place < 2 { node.flops } else { 0.0 };
                self.make(reads, size, Place::New, flops)
            }
        }
    }

    /// Sums a gradient to an input's size, if that was broadcast.
    fn reduced(&mut self, gradient: Id, size: Size) -> Id {
        let place = if self.size(gradient).count() == size.count() {
            Place::Reshaped
        } else {
            Place::New
        };
        self.make(vec![gradient], size, place, 0.0)
    }
}

impl Size {
    /// Numbers.
    pub(super) fn count(&self) -> usize {
        self.shape.iter().product()
    }

    pub(super) fn bytes(&self) -> u64 {
        (self.count() * self.dtype.size()) as u64
    }
}

impl Id {
    pub(super) fn index(self) -> usize {
        self.0
    }
}
