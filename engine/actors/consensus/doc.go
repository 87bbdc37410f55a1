// Package consensus is the behaviour of actors that ask several members at once and answer with what enough of them agree
// on.
//
// Answers are equal when their normalised values are: the compare expression's, or the answers themselves. A group of
// equal answers wins with a quorum of answers, the stated share of the answers' weight, more members than may lie, and more
// weight than any other group. Members that answered otherwise are dissenters, those without an answer are silent; without
// agreement nobody is a dissenter. The asker is answered as soon as no answer to come can change the outcome; the rest is
// still waited for, so that every dissenter is found.
package consensus
