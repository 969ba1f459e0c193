// The sandbox provider's test cards, in the words of somebody who pays. No money moves with any of them.
export const testCards = [
  { number: '4242424242424242', what: 'is accepted' },
  { number: '4000000000009995', what: 'is declined: not enough money' },
  { number: '4000000000000150', what: 'is accepted, slowly' },
];

export const rareTestCards = [
  { number: '4000000000000341', what: 'is agreed to, then refused' },
  { number: '4000000000000143', what: 'fails once, then is accepted' },
  { number: '4000000000000101', what: 'gets no answer and has no effect' },
  { number: '4000000000000119', what: 'is accepted, the first answer is lost' },
  { number: '4000000000000127', what: 'meets a server error, without effect' },
  { number: '4000000000000135', what: 'is accepted, but a server error is answered' },
  { number: '4000000000000168', what: 'is accepted, but the connection is cut' },
  { number: '4000000000000176', what: 'is accepted, but garbage is answered' },
  { number: '4000000000000184', what: 'is agreed to and then never paid' },
];

export const spaced = (number) => number.replace(/(.{4})(?=.)/g, '$1 ');
