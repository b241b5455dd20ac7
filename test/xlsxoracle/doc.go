// Package xlsxoracle compares what internal/xlsx reads with what excelize reads,
// cell by cell: in the workbooks of events/prices, in ones that excelize writes,
// in ones written by hand, and in ones that internal/xlsx writes. excelize is a
// judge only: a test here sees to it that no product package links it, because
// its defaults are not made for files of strangers.
package xlsxoracle
